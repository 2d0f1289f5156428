//! DSA keys with domain parameters of their own, as Barbican makes them.
//!
//! The crate `dsa` tests every candidate for p with a power of a large number,
//! which takes seconds where p has 2048 bits, and far longer beyond. Here a sieve
//! rules out five of six candidates before that.

use crypto_bigint::{
    BitOps, BoxedUint, CheckedAdd, Limb, NonZero, Odd, RandomBits, Resize,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use crypto_primes::{Flavor, is_prime, random_prime};
use donjon_domain::ports::{GenerationError, GenerationErrorKind};
use dsa::{Components, SigningKey};

use super::{internal, recipe::DsaSize, rng::EntropyRng};

/// Makes domain parameters and a key. Takes seconds where p is large.
pub(super) fn generate(
    rng: &mut EntropyRng<'_>,
    size: DsaSize,
) -> Result<SigningKey, GenerationError> {
    let components = components(rng, size)?;
    let Ok(key) = SigningKey::try_generate_from_rng_with_components(rng, components);
    Ok(key)
}

fn components(rng: &mut EntropyRng<'_>, size: DsaSize) -> Result<Components, GenerationError> {
    let bits = u32::from(size.p);
    let primes = small_primes();
    let q: BoxedUint = random_prime(rng, Flavor::Any, u32::from(size.q));
    let wide_q = non_zero(q.clone().resize(bits))?;
    let step = non_zero(wide_q.shl(1))?;
    let p = loop {
        if let Some(p) = find_p(rng, &primes, &step, bits) {
            break p;
        }
    };
    let g = generator(&p, &wide_q)?;
    // What is not checked is the size: the crate knows no p of 4096 bits.
    Components::from_components_unchecked(p, q, g).map_err(internal)
}

/// Looks for a prime of `bits` bits that leaves 1 when divided by `step`, from a
/// random number on. There may be none within the reach of the sieve.
fn find_p(
    rng: &mut EntropyRng<'_>,
    primes: &[u32],
    step: &NonZero<BoxedUint>,
    bits: u32,
) -> Option<BoxedUint> {
    let mut start = BoxedUint::random_bits(rng, bits);
    start.set_bit_vartime(bits - 1, true);
    let mut p = &start - start.rem_vartime(step) + BoxedUint::one();
    for composite in composites(primes, &p, step) {
        if !composite && p.bit_width_vartime() == bits && is_prime(Flavor::Any, &p) {
            return Some(p);
        }
        p = p.checked_add(&**step).into_option()?;
    }
    None
}

/// Tells of `first`, `first + step`, `first + 2 step` and so on whether one of
/// the primes divides it.
fn composites(primes: &[u32], first: &BoxedUint, step: &BoxedUint) -> Vec<bool> {
    let mut composite = vec![false; REACH];
    for &prime in primes {
        let (at, step) = (remainder(first, prime), remainder(step, prime));
        let prime = u64::from(prime);
        // No multiple of the prime is ahead of a step that is one itself.
        let Some(inverse) = invert(step, prime) else {
            continue;
        };
        // first + k step = 0 mod prime
        let k = (prime - at) * inverse % prime;
        let hits = usize::try_from(k).unwrap_or(usize::MAX)..REACH;
        for hit in hits.step_by(usize::try_from(prime).unwrap_or(usize::MAX)) {
            if let Some(hit) = composite.get_mut(hit) {
                *hit = true;
            }
        }
    }
    composite
}

/// An element of order q: the power of the smallest number that gives one.
fn generator(p: &BoxedUint, q: &NonZero<BoxedUint>) -> Result<BoxedUint, GenerationError> {
    let odd = Odd::new(p.clone()).into_option().ok_or_else(impossible)?;
    let params = BoxedMontyParams::new_vartime(odd);
    let exponent = (p - BoxedUint::one()) / q;
    (2_u32..)
        .map(|base| BoxedUint::from(base).resize(p.bits_precision()))
        .map(|base| BoxedMontyForm::new(base, &params).pow(&exponent).retrieve())
        .find(|power| !bool::from(power.is_one()))
        .ok_or_else(impossible)
}

/// The rest of the division.
fn remainder(number: &BoxedUint, prime: u32) -> u64 {
    NonZero::new(Limb::from(prime))
        .into_option()
        .map_or(0, |prime| u64::from(number.rem_limb(prime)))
}

/// The inverse modulo a prime, by Fermat's little theorem; 0 has none.
fn invert(number: u64, prime: u64) -> Option<u64> {
    let square_and_multiply = |(power, square): (u64, u64), bit: u64| {
        let power = if bit == 1 {
            power * square % prime
        } else {
            power
        };
        (power, square * square % prime)
    };
    let exponent = prime.checked_sub(2)?;
    let bits = (0..u64::BITS - exponent.leading_zeros()).map(|at| exponent >> at & 1);
    let (inverse, _) = bits.fold((1, number), square_and_multiply);
    (number != 0).then_some(inverse)
}

/// The odd primes below [`SIEVED_MAX`].
fn small_primes() -> Vec<u32> {
    let mut primes: Vec<u32> = Vec::new();
    for number in (3..SIEVED_MAX).step_by(2) {
        let mut small = primes.iter().take_while(|prime| *prime * *prime <= number);
        if small.all(|prime| number % prime != 0) {
            primes.push(number);
        }
    }
    primes
}

fn non_zero(number: BoxedUint) -> Result<NonZero<BoxedUint>, GenerationError> {
    NonZero::new(number).into_option().ok_or_else(impossible)
}

/// A prime that is 0 or even, a group without generator.
fn impossible() -> GenerationError {
    GenerationError::new(GenerationErrorKind::Internal)
}

/// Beyond this, a division costs more than it saves.
const SIEVED_MAX: u32 = 1 << 16;

/// How many candidates one sieve is for. Of 4096 bits one in 1,420 is prime.
const REACH: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_primes_are_the_odd_primes() {
        let primes = small_primes();
        assert_eq!(primes.len(), 6_541); // pi(65536) is 6542
        assert_eq!(primes.get(..6), Some(&[3, 5, 7, 11, 13, 17][..]));
        assert_eq!(primes.last(), Some(&65_521));
    }

    #[test]
    fn the_inverse_is_one() {
        for prime in [3, 5, 7, 101, 65_521] {
            for number in (1..prime).step_by(7) {
                let inverse = invert(number, prime).unwrap();
                assert_eq!(number * inverse % prime, 1, "{number} mod {prime}");
            }
            assert_eq!(invert(0, prime), None);
        }
    }

    #[test]
    fn the_sieve_says_what_division_says() {
        let primes = small_primes();
        let (first, step) = (1_000_003_u64, 202_u64);
        let found = composites(&primes, &first.into(), &step.into());
        assert_eq!(found.len(), REACH);
        for (candidate, composite) in (first..).step_by(202).zip(found) {
            let divides = |prime: &u32| candidate % u64::from(*prime) == 0;
            assert_eq!(composite, primes.iter().any(divides), "{candidate}");
        }
    }
}
