//! A budget for the memory of answers that clients have not taken yet.
//!
//! Deadlines bound how long a client may let an answer wait, not how much all of them hold meanwhile.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

/// The bytes of large answers on their way out, over all connections.
#[derive(Debug)]
pub(crate) struct Answers {
    held: Arc<AtomicUsize>,
    max: usize,
}

/// An answer that is counted until its last byte is with the system, or its connection has gone.
struct Counted {
    bytes: Bytes,
    held: Arc<AtomicUsize>,
}

impl Answers {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            held: Arc::default(),
            max,
        }
    }

    /// Counts an answer, unless it is small; `None` where there is no room for it.
    ///
    /// One alone may be larger than all together: else nobody could ever get it.
    pub(crate) fn admit(&self, bytes: Bytes) -> Option<Bytes> {
        let length = bytes.len();
        if length <= SMALL_BYTES_MAX {
            return Some(bytes);
        }
        let with_this = |held: usize| {
            let held_then = held.checked_add(length)?;
            (held == 0 || held_then <= self.max).then_some(held_then)
        };
        self.held.fetch_update(Relaxed, Relaxed, with_this).ok()?;
        let held = Arc::clone(&self.held);
        // hyper drops the bytes, not only the body, when they are written.
        Some(Bytes::from_owner(Counted { bytes, held }))
    }

    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len(), Relaxed);
    }
}

/// Answers up to this size are not counted: a secret or a page of a list goes out whatever others do.
const SMALL_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(length: usize) -> Bytes {
        Bytes::from(vec![b'x'; length])
    }

    #[test]
    fn large_answers_share_a_budget() {
        let answers = Answers::new(300_000);
        let first = answers.admit(answer(200_000)).unwrap();
        assert_eq!((first.len(), answers.held()), (200_000, 200_000));
        assert!(answers.admit(answer(100_001)).is_none());
        let second = answers.admit(answer(100_000)).unwrap();
        let _small = answers.admit(answer(SMALL_BYTES_MAX)).unwrap();
        assert!(answers.admit(answer(SMALL_BYTES_MAX + 1)).is_none());
        let part = first.slice(199_999..);
        drop(first);
        assert_eq!(answers.held(), 300_000, "a part is not written yet");
        drop((part, second));
        assert_eq!(answers.held(), 0);
        let alone = answers.admit(answer(300_001)).unwrap();
        assert!(answers.admit(answer(SMALL_BYTES_MAX + 1)).is_none());
        drop(alone);
        assert_eq!(answers.held(), 0);
    }
}
