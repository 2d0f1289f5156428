//! Encodings, and how references and ids look.

use base64ct::{Base64, Encoding};

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Hexadecimal digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path of a reference, which has to be an absolute URL.
#[track_caller]
pub(crate) fn path_of(reference: &str) -> &str {
    let (scheme, rest) = reference.split_once("://").unwrap();
    assert!(scheme == "http" || scheme == "https", "{reference}");
    let (host, _) = rest.split_once('/').unwrap();
    &rest[host.len()..]
}

/// The last segment of a path.
pub(crate) fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// Whether this is `req-` and a UUID of version 4 in lower case.
pub(crate) fn is_request_id(text: &str) -> bool {
    text.strip_prefix("req-").is_some_and(|id| {
        let groups: Vec<&str> = id.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        let is_hex = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '-');
        lengths == [8, 4, 4, 4, 12] && id.chars().all(is_hex) && groups[2].starts_with('4')
    })
}

/// Numbers that look random and are the same in each run. Splitmix64.
#[derive(Debug, Clone)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}
