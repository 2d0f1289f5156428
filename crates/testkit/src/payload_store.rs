//! A secret store in memory that can go away, lie and hang.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use donjon_domain::{
    DeploymentId, ProjectId, PutId, SecretBytes, SecretId,
    ports::{
        BoxFuture, GenerationRequest, Listed, Locator, OutsidePayload, PayloadName, PayloadStore,
        StoreError, StoreErrorKind,
    },
};

/// `PayloadStore` for tests. Every future is ready when it is first polled,
/// unless the store was told to hang.
#[derive(Default)]
pub struct FakePayloadStore {
    inner: Mutex<Inner>,
    makes_keys: bool,
}

type Hook = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Inner {
    payloads: BTreeMap<PayloadName, Vec<u8>>,
    /// How many more of a name are there.
    doubles: BTreeMap<PayloadName, u32>,
    state: u64,
    calls: u64,
    /// What happens when the next call comes in.
    before: Option<Hook>,
    /// What the next calls fail with; those with `true` have their effect first.
    failures: VecDeque<(StoreErrorKind, bool)>,
    is_away: bool,
    hangs: bool,
    lie: Option<Vec<u8>>,
}

impl FakePayloadStore {
    /// The most bytes that it takes.
    pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, making symmetric keys and RSA pairs without a passphrase.
    #[must_use]
    pub fn making_keys(mut self) -> Self {
        self.makes_keys = true;
        self
    }

    /// Makes the next call fail without effect (each call one more call).
    pub fn fail_next(&self, kind: StoreErrorKind) {
        self.lock().failures.push_back((kind, false));
    }

    /// Makes the next call do what it should, and fail all the same.
    pub fn fail_after_next(&self, kind: StoreErrorKind) {
        self.lock().failures.push_back((kind, true));
    }

    /// Does this when the next call comes in, before its effect; it may call
    /// the store itself.
    pub fn before_next(&self, hook: impl FnOnce() + Send + 'static) {
        self.lock().before = Some(Box::new(hook));
    }

    /// Answers nobody until it is called with `false`.
    pub fn set_away(&self, is_away: bool) {
        self.lock().is_away = is_away;
    }

    /// Futures that are polled now never end.
    pub fn set_hanging(&self, hangs: bool) {
        self.lock().hangs = hangs;
    }

    /// Gives these bytes for every payload.
    pub fn lie(&self, bytes: Option<&[u8]>) {
        self.lock().lie = bytes.map(<[u8]>::to_vec);
    }

    /// All that is there.
    pub fn names(&self) -> Vec<PayloadName> {
        self.lock().payloads.keys().copied().collect()
    }

    /// Takes a payload away behind everybody's back.
    pub fn lose(&self, name: &PayloadName) -> bool {
        self.lock().payloads.remove(name).is_some()
    }

    /// Makes so many more of a payload, of the same name, behind everybody's back:
    /// each takes a delete of its own.
    pub fn double(&self, name: &PayloadName, times: u32) {
        self.lock().doubles.insert(*name, times);
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<'a, T: Send + 'a>(
        &'a self,
        effect: impl FnOnce(&mut Inner) -> Result<T, StoreError> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            if self.lock().hangs {
                std::future::pending::<()>().await;
            }
            let before = self.lock().before.take();
            if let Some(before) = before {
                before();
            }
            let mut inner = self.lock();
            inner.calls += 1;
            if inner.is_away {
                return Err(StoreError::new(StoreErrorKind::Unavailable));
            }
            match inner.failures.pop_front() {
                None => effect(&mut inner),
                Some((kind, false)) => Err(StoreError::new(kind)),
                Some((kind, true)) => {
                    effect(&mut inner)?;
                    Err(StoreError::new(kind))
                }
            }
        })
    }
}

impl PayloadStore for FakePayloadStore {
    fn put<'a>(
        &'a self,
        name: &'a PayloadName,
        payload: &'a OutsidePayload<'a>,
    ) -> BoxFuture<'a, Result<Locator, StoreError>> {
        self.call(|inner| {
            if payload.bytes.len() > Self::PAYLOAD_BYTES_MAX {
                return Err(StoreError::new(StoreErrorKind::Refused));
            }
            inner.keep(name, payload.bytes.expose().to_vec())
        })
    }

    fn get<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<SecretBytes, StoreError>> {
        self.call(|inner| {
            let missing = || StoreError::new(StoreErrorKind::Missing);
            let name = name_of(locator).ok_or_else(missing)?;
            let found = inner.payloads.get(&name).ok_or_else(missing)?;
            Ok(SecretBytes::new(
                inner.lie.as_ref().unwrap_or(found).clone(),
            ))
        })
    }

    fn delete<'a>(&'a self, locator: &'a Locator) -> BoxFuture<'a, Result<(), StoreError>> {
        self.call(|inner| {
            if let Some(name) = name_of(locator) {
                match inner.doubles.get_mut(&name) {
                    Some(more @ 1..) => *more -= 1,
                    _ => drop(inner.payloads.remove(&name)),
                }
            }
            Ok(())
        })
    }

    fn find<'a>(
        &'a self,
        name: &'a PayloadName,
    ) -> BoxFuture<'a, Result<Option<Locator>, StoreError>> {
        self.call(|inner| {
            let is_there = inner.payloads.contains_key(name);
            is_there.then(|| locator(name)).transpose()
        })
    }

    fn list<'a>(
        &'a self,
        deployment: DeploymentId,
        after: Option<&'a PayloadName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        self.call(move |inner| {
            let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(*name));
            let names = inner.payloads.range((from, Bound::Unbounded));
            let own = names.map(|(name, _)| name);
            let own = own.filter(|name| name.deployment == deployment).take(limit);
            let listed = own.map(|name| {
                Ok(Listed {
                    name: *name,
                    locator: locator(name)?,
                })
            });
            listed.collect()
        })
    }

    fn can_generate(&self, request: GenerationRequest<'_>) -> bool {
        let spec = match request {
            GenerationRequest::Symmetric(spec) | GenerationRequest::KeyPair(spec, None) => spec,
            GenerationRequest::KeyPair(_, Some(_)) => return false,
        };
        let is = |name| spec.algorithm.as_str().eq_ignore_ascii_case(name);
        let known = match request {
            GenerationRequest::Symmetric(_) => is("aes"),
            GenerationRequest::KeyPair(..) => is("rsa"),
        };
        self.makes_keys && known && spec.bit_length.get() % 8 == 0
    }

    fn generate<'a>(
        &'a self,
        names: &'a [PayloadName],
        _project: &'a ProjectId,
        request: GenerationRequest<'a>,
    ) -> BoxFuture<'a, Result<Vec<Locator>, StoreError>> {
        self.call(move |inner| {
            let (wanted, spec) = match request {
                GenerationRequest::Symmetric(spec) => (1, spec),
                GenerationRequest::KeyPair(spec, _) => (2, spec),
            };
            if !self.can_generate(request) || names.len() != wanted {
                return Err(StoreError::new(StoreErrorKind::Refused));
            }
            let bytes = usize::from(spec.bit_length.get() / 8);
            let keep = |name| {
                let key = crate::entropy::bytes(&mut inner.state, bytes);
                inner.keep(name, key)
            };
            names.iter().map(keep).collect()
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.call(|_| Ok(()))
    }
}

impl Inner {
    fn keep(&mut self, name: &PayloadName, bytes: Vec<u8>) -> Result<Locator, StoreError> {
        self.payloads.insert(*name, bytes);
        locator(name)
    }
}

fn locator(name: &PayloadName) -> Result<Locator, StoreError> {
    let ids: [&[u8]; 3] = [
        name.deployment.as_bytes(),
        name.secret.as_bytes(),
        name.put.as_bytes(),
    ];
    Ok(Locator::new(ids.concat())?)
}

fn name_of(locator: &Locator) -> Option<PayloadName> {
    let (deployment, rest) = locator.as_bytes().split_first_chunk()?;
    let (secret, rest) = rest.split_first_chunk()?;
    Some(PayloadName {
        deployment: DeploymentId::from_bytes(*deployment),
        secret: SecretId::from_bytes(*secret),
        put: PutId::from_bytes(rest.try_into().ok()?),
    })
}

impl fmt::Debug for FakePayloadStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakePayloadStore").finish_non_exhaustive()
    }
}
