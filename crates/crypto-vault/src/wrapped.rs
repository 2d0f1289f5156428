//! A wrapped key as bytes.
//!
//! ```text
//! version 1 | root key id 16 | version of the transit key 4 | what the engine made of it
//! ```
//!
//! The last part is what stands in base64 behind `vault:vN:`. The engine's
//! associated data is the binding; the first part is compared here.

use donjon_domain::{RootKeyId, WrapBinding};

pub(crate) fn join(root: RootKeyId, version: u32, made: &[u8]) -> Vec<u8> {
    [
        &[VERSION],
        &root.as_bytes()[..],
        &version.to_be_bytes(),
        made,
    ]
    .concat()
}

/// What the engine made; `None` for anything that this version of this root key
/// did not wrap.
pub(crate) fn split(bytes: &[u8], root: RootKeyId, version: u32) -> Option<&[u8]> {
    let head = join(root, version, &[]);
    bytes.strip_prefix(&head[..])
}

pub(crate) fn binding_bytes(binding: &WrapBinding<'_>) -> Vec<u8> {
    [LABEL, &binding.to_bytes()].concat()
}

const VERSION: u8 = 1;
/// The key may authenticate other things too; none of them begins so.
const LABEL: &[u8] = b"donjon/transit-wrap/1\0";

#[cfg(test)]
mod tests {
    use donjon_domain::{DeploymentId, KekId, KekScope, ProjectId};

    use super::*;

    /// The format never changes: what is in a database has to unwrap.
    #[test]
    fn the_bytes_are_these() {
        let root = RootKeyId::from_bytes([0xab; 16]);
        let bytes = join(root, 258, b"made");
        let expected = [&[1][..], &[0xab; 16], &[0, 0, 1, 2], b"made"].concat();
        assert_eq!(bytes, expected);
        assert_eq!(split(&bytes, root, 258), Some(&b"made"[..]));
        assert_eq!(split(&bytes, root, 257), None);
        assert_eq!(split(&bytes, RootKeyId::from_bytes([0; 16]), 258), None);
        for cut in 0..21 {
            assert_eq!(split(&bytes[..cut], root, 258), None, "{cut}");
        }
        let scope = KekScope::Project(ProjectId::new("web"));
        let binding = WrapBinding::Kek {
            deployment: DeploymentId::from_bytes([1; 16]),
            id: KekId::from_bytes([2; 16]),
            scope: &scope,
            generation: 3,
        };
        let expected = [
            &b"donjon/transit-wrap/1\0k"[..],
            &[1; 16],
            &[2; 16],
            &[0, 0, 0, 3],
            b"p:web",
        ];
        assert_eq!(binding_bytes(&binding), expected.concat());
    }
}
