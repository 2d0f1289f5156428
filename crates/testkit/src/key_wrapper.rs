//! A key wrapper that encrypts nothing, and can be out of reach.

use std::{
    future::{poll_fn, ready},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use donjon_domain::{
    RootKeyId, SecretBytes, WrapBinding,
    ports::{BoxFuture, CryptoError, CryptoErrorKind, KeyWrapper},
};

/// `KeyWrapper` for tests. A wrapped key is the key behind the id of the root
/// key and what it is bound to. There is no secrecy at all.
#[derive(Debug)]
pub struct FakeKeyWrapper {
    id: RootKeyId,
    is_away: AtomicBool,
    unwraps: AtomicUsize,
    hold: Mutex<Hold>,
}

#[derive(Debug, Default)]
struct Hold {
    is_held: bool,
    wakers: Vec<Waker>,
}

/// Stands in front of everything, so that nobody takes it for encrypted.
const MARK: &[u8] = b"NOT ENCRYPTED\n";

impl FakeKeyWrapper {
    /// A wrapper with the root key of this number.
    #[must_use]
    pub fn new(root: u8) -> Self {
        Self {
            id: RootKeyId::from_bytes([root; 16]),
            is_away: AtomicBool::new(false),
            unwraps: AtomicUsize::new(0),
            hold: Mutex::default(),
        }
    }

    /// From now on its root key is out of reach, or in reach again.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// Makes calls of [`KeyWrapper::unwrap`] wait until [`Self::release`].
    pub fn hold(&self) {
        self.lock().is_held = true;
    }

    /// Lets all calls go on that wait since [`Self::hold`].
    pub fn release(&self) {
        let wakers = {
            let mut hold = self.lock();
            hold.is_held = false;
            std::mem::take(&mut hold.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How often something was to be unwrapped.
    pub fn unwraps(&self) -> usize {
        self.unwraps.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<(), CryptoError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(CryptoError::new(CryptoErrorKind::Unavailable));
        }
        Ok(())
    }

    fn wrapped(&self, key: &[u8], binding: WrapBinding<'_>) -> Vec<u8> {
        // Twice, so that no single changed byte goes unseen.
        let label = format!("{} {binding:?} {key:?}\n", self.id);
        [MARK, label.as_bytes(), key].concat()
    }
}

impl KeyWrapper for FakeKeyWrapper {
    fn id(&self) -> RootKeyId {
        self.id
    }

    fn wrap<'a>(
        &'a self,
        key: &'a SecretBytes,
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<Vec<u8>, CryptoError>> {
        let wrapped = self.check().map(|()| self.wrapped(key.expose(), binding));
        Box::pin(ready(wrapped))
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [u8],
        binding: WrapBinding<'a>,
    ) -> BoxFuture<'a, Result<SecretBytes, CryptoError>> {
        self.unwraps.fetch_add(1, Ordering::Relaxed);
        let released = poll_fn(|context| {
            let mut hold = self.lock();
            if hold.is_held {
                hold.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        Box::pin(async move {
            released.await;
            self.check()?;
            (1..=64)
                .filter_map(|bytes| wrapped.len().checked_sub(bytes))
                .filter_map(|at| wrapped.get(at..))
                .find(|key| self.wrapped(key, binding) == wrapped)
                .map(|key| SecretBytes::new(key.to_vec()))
                .ok_or_else(|| CryptoError::new(CryptoErrorKind::DoesNotOpen))
        })
    }
}
