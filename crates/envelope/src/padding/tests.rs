use super::*;

const LIMIT: usize = 0xffff_ffff;

fn padded(plain: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    pad_into(&mut body, u32::try_from(plain.len()).unwrap(), plain);
    body
}

fn unpadded(body: &[u8]) -> Option<Vec<u8>> {
    let mut body = Zeroizing::new(body.to_vec());
    unpad(&mut body).ok().map(|()| body.to_vec())
}

#[test]
fn bodies_are_filled_up_to_64() {
    for (plain_bytes, body_bytes) in [
        (0, 64),
        (1, 64),
        (59, 64),
        (60, 64),
        (61, 128),
        (64, 128),
        (124, 128),
        (125, 192),
        (20_000, 20_032),
    ] {
        let plain = vec![0xaa; plain_bytes];
        let body = padded(&plain);
        assert_eq!(body.len(), body_bytes, "{plain_bytes}");
        assert_eq!(
            Padding::Blocks64.body_bytes(plain_bytes),
            Some(body_bytes),
            "{plain_bytes}"
        );
        assert_eq!(Padding::None.body_bytes(plain_bytes), Some(plain_bytes));
        assert_eq!(unpadded(&body), Some(plain), "{plain_bytes}");
    }
}

#[test]
fn body_of_three_bytes() {
    let mut want = [0; 64];
    want[..7].copy_from_slice(b"\0\0\0\x03abc");
    assert_eq!(padded(b"abc"), want);
}

#[test]
fn envelopes_cost_128_bytes() {
    assert_eq!(Padding::None.sealed_bytes(0), Some(128));
    assert_eq!(Padding::None.sealed_bytes(33), Some(161));
    assert_eq!(Padding::Blocks64.sealed_bytes(32), Some(192));
}

#[test]
fn lengths_end_at_four_bytes() {
    for padding in [Padding::Blocks64, Padding::None] {
        assert!(padding.sealed_bytes(LIMIT).is_some());
        assert_eq!(padding.sealed_bytes(LIMIT + 1), None);
        assert_eq!(padding.sealed_bytes(usize::MAX), None);
    }
}

#[test]
fn only_multiples_of_64_are_bodies() {
    let lengths: Vec<usize> = (0..=200)
        .filter(|length| is_padded_length(*length))
        .collect();
    assert_eq!(lengths, [64, 128, 192]);
}

#[test]
fn other_fillings_are_refused() {
    for at in 7..64 {
        let mut body = padded(b"abc");
        body[at] = 1;
        assert_eq!(unpadded(&body), None, "byte {at} is not zero");
    }
    let mut long = padded(b"abc");
    long.extend([0; 64]);
    assert_eq!(unpadded(&long), None, "a block too many");
    for length in [61, 64, 1000, u32::MAX] {
        let mut body = [0; 64];
        body[..4].copy_from_slice(&length.to_be_bytes());
        assert_eq!(unpadded(&body), None, "{length} bytes do not fit");
    }
    for body_bytes in [0, 3, 4, 7, 63, 65] {
        assert_eq!(
            unpadded(&vec![0; body_bytes]),
            None,
            "{body_bytes} are no body"
        );
    }
}

#[test]
fn nothing_of_the_plaintext_stays_behind_its_end() {
    let mut body = padded(&[0xaa; 30]);
    move_to_front(&mut body, 30);
    assert_eq!(body[..30], [0xaa; 30]);
    assert_eq!(body[30..], [0; 34]);
}
