//! A wrapped key as bytes.
//!
//! ```text
//! version 1 | mechanism 1 | root key id 16 | IV length 1 | IV | wrapped key | MAC 32
//! ```
//!
//! The MAC is HMAC-SHA-256 by the key in the token over [`LABEL`], what the key
//! is bound to, and all bytes before the MAC. It is checked before the token
//! decrypts anything.

use donjon_domain::{RootKeyId, WrapBinding};

use crate::WrapMechanism;

/// A wrapped key, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wrapped<'a> {
    pub(crate) mechanism: WrapMechanism,
    pub(crate) root: RootKeyId,
    pub(crate) iv: &'a [u8],
    pub(crate) body: &'a [u8],
    pub(crate) mac: &'a [u8],
    /// All before the MAC.
    pub(crate) authenticated: &'a [u8],
}

/// The bytes in front of the body.
pub(crate) fn head(mechanism: WrapMechanism, root: RootKeyId, iv: &[u8]) -> Vec<u8> {
    // The longest IV has 16 bytes.
    let iv_bytes = u8::try_from(iv.len()).unwrap_or(u8::MAX);
    let fixed = [VERSION, mechanism.code()];
    [&fixed[..], root.as_bytes(), &[iv_bytes], iv].concat()
}

impl<'a> Wrapped<'a> {
    /// `None` for anything else than a wrapped key.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (authenticated, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let ([VERSION, code], rest) = authenticated.split_first_chunk::<2>()? else {
            return None;
        };
        let mechanism = WrapMechanism::from_code(*code)?;
        let (root, rest) = rest.split_first_chunk::<16>()?;
        let (iv_bytes, rest) = rest.split_first()?;
        let (iv, body) = rest.split_at_checked(usize::from(*iv_bytes))?;
        (iv.len() == mechanism.iv_bytes()).then_some(Self {
            mechanism,
            root: RootKeyId::from_bytes(*root),
            iv,
            body,
            mac,
            authenticated,
        })
    }
}

/// What the MAC covers.
pub(crate) fn authenticated(binding: &WrapBinding<'_>, bytes: &[u8]) -> Vec<u8> {
    let binding = binding.to_bytes();
    [LABEL, &length(&binding), &binding, bytes].concat()
}

fn length(bytes: &[u8]) -> [u8; 8] {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes()
}

pub(crate) const MAC_BYTES: usize = 32;
const VERSION: u8 = 1;
/// Barbican's key authenticates other things too; none of them begins so.
const LABEL: &[u8] = b"donjon/pkcs11-wrap/1\0";

#[cfg(test)]
mod tests {
    use donjon_domain::{DeploymentId, KekId, KekScope, ProjectId};

    use super::*;

    #[test]
    fn bytes_are_taken_apart_as_they_were_put_together() {
        let root = RootKeyId::from_bytes([7; 16]);
        for mechanism in WrapMechanism::ALL {
            let iv = vec![1; mechanism.iv_bytes()];
            let bytes = [&head(mechanism, root, &iv)[..], b"body", &[9; 32]].concat();
            let wrapped = Wrapped::parse(&bytes).unwrap();
            assert_eq!((wrapped.mechanism, wrapped.root), (mechanism, root));
            assert_eq!((wrapped.iv, wrapped.body), (&iv[..], &b"body"[..]));
            assert_eq!(wrapped.mac, [9; 32]);
            assert_eq!(wrapped.authenticated, &bytes[..bytes.len() - 32]);
            for cut in 0..51 + iv.len() {
                assert_eq!(Wrapped::parse(&bytes[..cut]), None, "{cut}");
            }
        }
        assert_eq!(Wrapped::parse(&[2; 100]), None);
    }

    /// The format never changes: what is in a database has to unwrap.
    #[test]
    fn the_bytes_are_these() {
        let head = head(
            WrapMechanism::CbcPad,
            RootKeyId::from_bytes([0xab; 16]),
            &[0xcd; 16],
        );
        assert_eq!(
            head,
            [&[1, 2][..], &[0xab; 16], &[16], &[0xcd; 16]].concat()
        );
        let scope = KekScope::Project(ProjectId::new("web"));
        let binding = WrapBinding::Kek {
            deployment: DeploymentId::from_bytes([1; 16]),
            id: KekId::from_bytes([2; 16]),
            scope: &scope,
            generation: 3,
        };
        let bound = [b"k", &[1; 16][..], &[2; 16], &[0, 0, 0, 3], b"p:web"].concat();
        let expected = [
            &b"donjon/pkcs11-wrap/1\0"[..],
            &[0, 0, 0, 0, 0, 0, 0, 42],
            &bound,
            b"head and body",
        ];
        assert_eq!(authenticated(&binding, b"head and body"), expected.concat());
    }
}
