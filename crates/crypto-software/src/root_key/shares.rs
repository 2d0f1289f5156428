//! Root keys in shares (Shamir's, over GF(256)), of which some are enough.

use std::{collections::BTreeSet, fmt};

use base64ct::{Base64, Encoding as _};
use donjon_domain::{RootKeyId, ports::Entropy};
use donjon_envelope::{KEY_BYTES, Key};
use sha2::{Digest as _, Sha256};
use vsss_rs::Gf256;
use zeroize::Zeroizing;

use super::RootKey;
use crate::generator::rng::EntropyRng;

/// One share of a root key. Fewer than the threshold say nothing about it.
/// Wiped when dropped; `Debug` shows which one it is alone.
///
/// As a text it is one line:
/// `donjon-root-key-share 1 key=ID set=HEX share=2/5 threshold=3 data=BASE64
/// check=HEX`. The sum behind `check=` is over all before it, and finds slips
/// of the pen, not forgers: who joins shares compares the key's id.
pub struct RootKeyShare {
    key: RootKeyId,
    /// Tells two splits of the same key apart.
    set: [u8; SET_BYTES],
    threshold: u8,
    shares: u8,
    /// The share's number, 1 or more, and a byte for each one of the key.
    data: Zeroizing<Vec<u8>>,
}

/// A root key is not split like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a root key is split into 2 to 255 shares, of which at least 2 are needed, and at most all"
)]
pub struct InvalidSplit;

/// A line that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShare {
    /// It does not look like one.
    #[error("not a share of a root key; `donjon root-key split` makes them")]
    Form,
    /// Something in it is not as it was written.
    #[error("this share is damaged: its check does not fit; compare it with the original")]
    Check,
}

/// Shares that do not give a root key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// There are none.
    #[error("no shares")]
    None,
    /// More are needed.
    #[error("{given} shares of root key {key} are here, and {threshold} are needed")]
    TooFew {
        /// The root key.
        key: RootKeyId,
        /// How many there are.
        given: usize,
        /// How many it takes.
        threshold: u8,
    },
    /// They are of two root keys.
    #[error("shares of different root keys: {0} and {1}")]
    Keys(RootKeyId, RootKeyId),
    /// They are of the same root key, which was split twice.
    #[error(
        "share {0} comes from another split of the same root key; only shares of one split fit together"
    )]
    Splits(u8),
    /// One is there twice.
    #[error("share {0} is there twice")]
    Twice(u8),
    /// They give another key than the one that they name.
    #[error("the shares give another root key than {0}: at least one of them is wrong")]
    Wrong(RootKeyId),
}

impl RootKey {
    /// Splits the key into `shares`, of which any `threshold` give it again.
    ///
    /// # Errors
    /// [`InvalidSplit`] unless 2 <= `threshold` <= `shares`.
    pub fn split(
        &self,
        shares: u8,
        threshold: u8,
        entropy: &dyn Entropy,
    ) -> Result<Vec<RootKeyShare>, InvalidSplit> {
        if threshold < 2 || threshold > shares {
            return Err(InvalidSplit);
        }
        let mut set = [0; SET_BYTES];
        entropy.fill(&mut set);
        let split = Gf256::split_bytes(
            usize::from(threshold),
            usize::from(shares),
            self.key().expose_bytes(),
            EntropyRng(entropy),
        );
        let split = split.map_err(|_error| InvalidSplit)?;
        let share = |data: Vec<u8>| RootKeyShare {
            key: self.id(),
            set,
            threshold,
            shares,
            data: Zeroizing::new(data),
        };
        Ok(split.into_iter().map(share).collect())
    }

    /// Joins shares of one split; more than are needed have to fit as well.
    ///
    /// # Errors
    /// [`JoinError`] names what does not fit.
    pub fn join(shares: &[RootKeyShare]) -> Result<Self, JoinError> {
        let first = shares.first().ok_or(JoinError::None)?;
        let mut numbers = BTreeSet::new();
        for share in shares {
            if share.key != first.key {
                return Err(JoinError::Keys(first.key, share.key));
            }
            if !share.is_of_the_split_of(first) {
                return Err(JoinError::Splits(share.number()));
            }
            if !numbers.insert(share.number()) {
                return Err(JoinError::Twice(share.number()));
            }
        }
        if shares.len() < usize::from(first.threshold) {
            return Err(JoinError::TooFew {
                key: first.key,
                given: shares.len(),
                threshold: first.threshold,
            });
        }
        let parts: Vec<Vec<u8>> = shares.iter().map(|share| share.data.to_vec()).collect();
        let parts = Zeroizing::new(parts);
        let wrong = JoinError::Wrong(first.key);
        let joined = Gf256::combine_bytes(&*parts).map_err(|_error| wrong.clone())?;
        let joined = Zeroizing::new(joined);
        let key = Key::try_from(joined.as_slice()).map_err(|_error| wrong.clone())?;
        let root = Self::from_key(key);
        if root.id() == first.key {
            Ok(root)
        } else {
            Err(wrong)
        }
    }
}

// === impl RootKeyShare ===

impl RootKeyShare {
    /// Reads a line, with or without blanks around it.
    ///
    /// # Errors
    /// [`InvalidShare`]; it never shows the line.
    pub fn parse(line: &str) -> Result<Self, InvalidShare> {
        let line = line.trim();
        let (text, check) = line.rsplit_once(" check=").ok_or(InvalidShare::Form)?;
        let rest = text.strip_prefix(HEAD).ok_or(InvalidShare::Form)?;
        if check != self::check(text) {
            return Err(InvalidShare::Check);
        }
        Self::parse_fields(rest).ok_or(InvalidShare::Form)
    }

    fn parse_fields(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=');
        let key = RootKeyId::from_bytes(bytes_of_hex(field("key")?)?);
        let set = bytes_of_hex(field("set")?)?;
        let (number, shares) = field("share")?.split_once('/')?;
        let threshold = field("threshold")?.parse().ok()?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        let decoded = Base64::decode(field("data")?, &mut *bytes).ok()?;
        let mut data = Zeroizing::new(Vec::with_capacity(1 + KEY_BYTES));
        data.push(number.parse().ok()?);
        data.extend_from_slice(decoded);
        let share = Self {
            key,
            set,
            threshold,
            shares: shares.parse().ok()?,
            data,
        };
        let is_whole = fields.next().is_none() && share.data.len() == 1 + KEY_BYTES;
        let is_sound = (1..=share.shares).contains(&share.number())
            && (2..=share.shares).contains(&share.threshold);
        (is_whole && is_sound).then_some(share)
    }

    /// The share as a line, without its end.
    #[must_use]
    pub fn to_line(&self) -> Zeroizing<String> {
        let mut encoded = Zeroizing::new([0; DATA_CHARS]);
        let data = self.data.get(1..).unwrap_or_default();
        let data = Base64::encode(data, &mut *encoded).unwrap_or_default();
        // At once in its full size, so that no part of it is left behind.
        let mut line = Zeroizing::new(String::with_capacity(LINE_BYTES_MAX));
        for part in [
            HEAD,
            "key=",
            &self.key.to_string(),
            " set=",
            &hex(&self.set),
            " share=",
            &format!("{}/{}", self.number(), self.shares),
            " threshold=",
            &self.threshold.to_string(),
            " data=",
            data,
        ] {
            line.push_str(part);
        }
        let check = check(&line);
        line.push_str(" check=");
        line.push_str(&check);
        line
    }

    /// The root key that it is a share of.
    #[must_use]
    pub fn key(&self) -> RootKeyId {
        self.key
    }

    /// Which one it is, from 1 on.
    #[must_use]
    pub fn number(&self) -> u8 {
        self.data.first().copied().unwrap_or_default()
    }

    /// How many shares there are.
    #[must_use]
    pub fn shares(&self) -> u8 {
        self.shares
    }

    fn is_of_the_split_of(&self, other: &Self) -> bool {
        (self.set, self.threshold, self.shares) == (other.set, other.threshold, other.shares)
    }
}

impl fmt::Debug for RootKeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKeyShare")
            .field("key", &self.key)
            .field("number", &self.number())
            .finish_non_exhaustive()
    }
}

fn check(text: &str) -> String {
    let digest = Sha256::new()
        .chain_update(CHECK_LABEL)
        .chain_update(text)
        .finalize();
    hex(digest.get(..CHECK_BYTES).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

const HEAD: &str = "donjon-root-key-share 1 ";
const CHECK_LABEL: &str = "donjon/root-key-share/1";
const SET_BYTES: usize = 4;
const CHECK_BYTES: usize = 8;
/// Base64 of a key.
const DATA_CHARS: usize = KEY_BYTES.div_ceil(3) * 4;
const LINE_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use donjon_testkit::SeededEntropy;

    use super::*;

    fn key(seed: u64) -> RootKey {
        RootKey::generate(&SeededEntropy::new(seed))
    }

    fn split(key: &RootKey, shares: u8, threshold: u8, seed: u64) -> Vec<RootKeyShare> {
        let entropy = SeededEntropy::new(seed);
        key.split(shares, threshold, &entropy).unwrap()
    }

    /// Through their lines, as people do.
    fn pick(shares: &[RootKeyShare], which: &[usize]) -> Vec<RootKeyShare> {
        let line = |at: &usize| RootKeyShare::parse(&shares[*at].to_line()).unwrap();
        which.iter().map(line).collect()
    }

    fn subsets(of: usize) -> impl Iterator<Item = Vec<usize>> {
        (0_u32..1 << of).map(move |bits| (0..of).filter(|at| bits >> at & 1 == 1).collect())
    }

    #[test]
    fn enough_shares_give_the_key_and_fewer_do_not() {
        let key = key(1);
        for (shares, threshold) in [(2, 2), (3, 2), (5, 3), (6, 6)] {
            let split = split(&key, shares, threshold, 2);
            for which in subsets(split.len()).filter(|which| !which.is_empty()) {
                let joined = RootKey::join(&pick(&split, &which));
                if which.len() >= usize::from(threshold) {
                    let joined = joined.unwrap();
                    assert_eq!(joined.to_file_contents(), key.to_file_contents());
                } else {
                    let given = which.len();
                    let key = key.id();
                    let too_few = JoinError::TooFew {
                        key,
                        given,
                        threshold,
                    };
                    assert_eq!(joined.unwrap_err(), too_few);
                }
            }
        }
        assert_eq!(RootKey::join(&[]).unwrap_err(), JoinError::None);
    }

    /// Whoever pretends that two are enough gets nothing of the key.
    #[test]
    fn a_lower_threshold_opens_nothing() {
        let key = key(1);
        let mut two = pick(&split(&key, 5, 3, 2), &[0, 1]);
        two.iter_mut().for_each(|share| share.threshold = 2);
        assert_eq!(RootKey::join(&two).unwrap_err(), JoinError::Wrong(key.id()));
    }

    #[test]
    fn impossible_splits_are_refused() {
        for (shares, threshold) in [(0, 0), (1, 1), (3, 1), (3, 0), (3, 4)] {
            let split = key(1).split(shares, threshold, &SeededEntropy::new(2));
            assert_eq!(split.unwrap_err(), InvalidSplit, "{threshold} of {shares}");
        }
        assert_eq!(split(&key(1), 255, 255, 2).len(), 255);
    }

    #[test]
    fn a_slip_in_any_place_is_noticed() {
        let shares = split(&key(1), 5, 3, 2);
        let line = shares[0].to_line();
        let shown = RootKeyShare::parse(&format!("  {}\n", *line)).unwrap();
        assert_eq!(shown.to_line(), line);
        for at in 0..line.len() {
            for slip in ['0', 'f', 'A', '/', ' ', '='] {
                let mut text = line.as_str().to_owned();
                text.replace_range(at..=at, &slip.to_string());
                let is_same = text.trim() == line.as_str();
                assert_eq!(RootKeyShare::parse(&text).is_ok(), is_same, "{at} {slip}");
            }
            let cut = RootKeyShare::parse(&line[..at]);
            assert!(cut.is_err(), "{at}");
        }
        for text in ["", "x", "donjon-root-key-share 1 check="] {
            assert!(RootKeyShare::parse(text).is_err());
        }
    }

    #[test]
    fn shares_that_do_not_belong_together_are_refused() {
        let (one, other) = (key(1), key(2));
        let (a, b) = (split(&one, 5, 3, 3), split(&other, 5, 3, 3));
        let again = split(&one, 5, 3, 4);
        let join = |shares: Vec<RootKeyShare>| RootKey::join(&shares).unwrap_err();
        let mixed = [pick(&a, &[0, 1]), pick(&b, &[2])].into_iter().flatten();
        assert_eq!(join(mixed.collect()), JoinError::Keys(one.id(), other.id()));
        let mixed = [pick(&a, &[0, 1]), pick(&again, &[2])]
            .into_iter()
            .flatten();
        assert_eq!(join(mixed.collect()), JoinError::Splits(3));
        assert_eq!(join(pick(&a, &[0, 1, 1])), JoinError::Twice(2));
        // One that is right by its looks only.
        let mut forged = pick(&a, &[0, 1, 2]);
        forged[2].data[5] ^= 1;
        assert_eq!(join(forged), JoinError::Wrong(one.id()));
    }

    /// A byte of a share can be anything, whatever the key's is, and that one
    /// too: else a share would say something about it.
    #[test]
    fn a_share_alone_says_nothing() {
        let key = key(1);
        let mut distances = BTreeSet::new();
        for seed in 0..200 {
            let split = split(&key, 2, 2, seed);
            let bytes = split[0].data[1..].iter().zip(key.key().expose_bytes());
            distances.extend(bytes.map(|(share, key)| share ^ key));
        }
        assert_eq!(distances.len(), 256);
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let shares = split(&key(1), 2, 2, 2);
        let shown = format!("{:?}", shares[0]);
        assert!(shown.contains("number: 1"), "{shown}");
        assert!(!shown.contains("data"), "{shown}");
    }
}
