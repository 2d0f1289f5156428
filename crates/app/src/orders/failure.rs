//! Why an order failed, in the words that are stored with it.
//!
//! # Source
//! The recorded exchanges of the groups `orders-key` and `orders-asymmetric`;
//! Barbican tells algorithms that it has never heard of from those that it has
//! no plugin for, and these from lengths that its plugin does not make.

use donjon_domain::{KeySpec, OrderFailure, OrderType};

const SYMMETRIC: &[&str] = &[
    "aes",
    "des",
    "desede",
    "hmacsha1",
    "hmacsha256",
    "hmacsha384",
    "hmacsha512",
];
const ASYMMETRIC: &[&str] = &["dsa", "ec", "ed25519", "rsa"];
/// Known by name alone.
const MADE_BY_NOBODY: &[&str] = &["diffie_hellman"];

/// Nothing makes what the order asks for.
pub(super) fn unsupported(order_type: OrderType, spec: &KeySpec) -> OrderFailure {
    let algorithm = spec.algorithm.as_str().to_ascii_lowercase();
    let (own, others) = match order_type {
        OrderType::Key => (SYMMETRIC, ASYMMETRIC),
        OrderType::Asymmetric => (ASYMMETRIC, SYMMETRIC),
    };
    let is_in = |names: &[&str]| names.contains(&algorithm.as_str());
    if is_in(own) {
        internal()
    } else if is_in(others) || is_in(MADE_BY_NOBODY) {
        issue("Requested algorithm is not supported.")
    } else {
        // With two full stops, as in Barbican.
        issue("Secret generate supported plugin not found..")
    }
}

/// Something that the client cannot mend.
pub(super) fn internal() -> OrderFailure {
    OrderFailure {
        status_code: "500".to_owned(),
        reason: "Process TypeOrder failure seen - please contact site administrator.".to_owned(),
    }
}

fn issue(text: &str) -> OrderFailure {
    OrderFailure {
        status_code: "400".to_owned(),
        reason: format!("Process TypeOrder issue seen - {text}"),
    }
}

#[cfg(test)]
mod tests {
    use donjon_testkit::sample::key_spec;

    use super::*;

    fn check(order_type: OrderType, algorithm: &str, status_code: &str, reason: &str) {
        let failure = unsupported(order_type, &key_spec(algorithm, 4_096));
        assert_eq!(failure.status_code, status_code, "{algorithm}");
        let (_, told) = failure.reason.split_once(" seen - ").unwrap();
        assert_eq!(told, reason, "{algorithm}");
    }

    #[test]
    fn reasons_as_recorded() {
        const UNKNOWN: &str = "Secret generate supported plugin not found..";
        const UNSUPPORTED: &str = "Requested algorithm is not supported.";
        const FAILED: &str = "please contact site administrator.";
        use OrderType::{Asymmetric, Key};
        check(Key, "made-up", "400", UNKNOWN);
        check(Key, "3des", "400", UNKNOWN);
        check(Key, "RSA", "400", UNSUPPORTED);
        check(Key, "diffie_hellman", "400", UNSUPPORTED);
        check(Key, "AES", "500", FAILED);
        check(Asymmetric, "made-up", "400", UNKNOWN);
        check(Asymmetric, "aes", "400", UNSUPPORTED);
        check(Asymmetric, "diffie_hellman", "400", UNSUPPORTED);
        check(Asymmetric, "rsa", "500", FAILED);
    }
}
