//! The `Entropy` port as the random number generator that key types draw from.

use std::convert::Infallible;

use donjon_domain::ports::Entropy;
use rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

/// Draws from the port and keeps nothing.
pub(crate) struct EntropyRng<'a>(pub(crate) &'a dyn Entropy);

impl EntropyRng<'_> {
    fn draw<const N: usize>(&self) -> Zeroizing<[u8; N]> {
        let mut bytes = Zeroizing::new([0; N]);
        self.0.fill(&mut *bytes);
        bytes
    }
}

impl TryRng for EntropyRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(*self.draw()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(*self.draw()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// What the port promises: bytes that nobody can guess.
impl TryCryptoRng for EntropyRng<'_> {}
