use std::error::Error;

use super::*;

#[test]
fn bytes_come_back() {
    let bytes = [7; KEY_BYTES];
    assert_eq!(Key::from(&bytes).expose_bytes(), &bytes);
    assert_eq!(
        Key::from_bytes(Zeroizing::new(bytes)).expose_bytes(),
        &bytes
    );
    assert_eq!(Key::try_from(&bytes[..]).unwrap().expose_bytes(), &bytes);
}

#[test]
fn other_lengths_are_refused() {
    for length in [0, 16, 31, 33, 64] {
        let error = Key::try_from(&vec![7; length][..]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("a key of {length} bytes, want 32")
        );
        assert!(error.source().is_some());
    }
}

#[test]
fn debug_does_not_show_the_bytes() {
    assert_eq!(format!("{:?}", Key::from(&[7; KEY_BYTES])), "Key(32 bytes)");
}
