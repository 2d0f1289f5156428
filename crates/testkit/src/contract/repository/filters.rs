//! Filters of lists.

use donjon_domain::{
    BitLength, Comparison, ListScope, Secret, SecretFilter, SecretQuery, SecretType, TimeBound,
    Timestamp, UserId, ports::Repository,
};

use super::{add, all_of, check_list, write};
use crate::sample;

/// A name is a `LIKE` pattern: `%` and `_` are wild, ASCII letters equal in
/// both cases, nothing escapes.
pub fn names_match_as_like_does(repository: &dyn Repository) {
    let names = [
        "web-key",
        "Web-Key",
        "web_key",
        "webkey",
        "100%",
        "wüb",
        "back\\slash",
        "a\\%b",
        "",
    ];
    for (number, name) in (1..).zip(names) {
        add(repository, &named(number, name));
    }
    add(repository, &sample::secret(10, "project"));
    for (pattern, expected) in [
        ("web-key", &[1, 2][..]),
        ("WEB-KEY", &[1, 2]),
        ("web_key", &[1, 2, 3]),
        ("web%", &[1, 2, 3, 4]),
        ("%key", &[1, 2, 3, 4]),
        ("%E%", &[1, 2, 3, 4]),
        ("web", &[]),
        ("100%", &[5]),
        ("wüb", &[6]),
        ("WÜB", &[]),
        ("w_b", &[6]),
        ("back\\slash", &[7]),
        ("a\\%b", &[8]),
        ("a\\%", &[8]),
        ("", &[9]),
        ("%", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("%%%", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("_", &[]),
        ("____", &[5, 8]),
        ("' OR 1=1 --", &[]),
    ] {
        let filter = SecretFilter {
            name: Some(pattern.to_owned()),
            ..SecretFilter::default()
        };
        check(repository, filter, expected);
    }
}

/// Algorithm and mode match in the same way.
pub fn algorithms_and_modes_match_as_like_does(repository: &dyn Repository) {
    for (number, algorithm, mode) in [
        (1, Some("aes"), Some("cbc")),
        (2, Some("AES"), None),
        (3, None, Some("CBC-MAC")),
    ] {
        let secret = Secret {
            algorithm: algorithm.map(sample::label),
            mode: mode.map(sample::label),
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
    }
    let algorithm = |pattern: &str| SecretFilter {
        algorithm: Some(pattern.to_owned()),
        ..SecretFilter::default()
    };
    check(repository, algorithm("aes"), &[1, 2]);
    check(repository, algorithm("%"), &[1, 2]);
    check(repository, algorithm(""), &[]);
    let mode = |pattern: &str| SecretFilter {
        mode: Some(pattern.to_owned()),
        ..SecretFilter::default()
    };
    check(repository, mode("cbc"), &[1]);
    check(repository, mode("cbc%"), &[1, 3]);
    let both = SecretFilter {
        algorithm: Some("a%".to_owned()),
        mode: Some("c%".to_owned()),
        ..SecretFilter::default()
    };
    check(repository, both, &[1]);
}

/// Numbers of bits and types are compared exactly.
pub fn bits_and_types_match_exactly(repository: &dyn Repository) {
    for (number, bits, secret_type) in [
        (1, Some(128), SecretType::Symmetric),
        (2, Some(256), SecretType::Symmetric),
        (3, None, SecretType::Opaque),
    ] {
        let secret = Secret {
            bit_length: bits.and_then(|bits| BitLength::new(bits).ok()),
            secret_type,
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
    }
    for (bits, expected) in [
        (128, &[1][..]),
        (0, &[]),
        (-1, &[]),
        (65_664, &[]),
        (i64::MAX, &[]),
    ] {
        let filter = SecretFilter {
            bit_length: Some(bits),
            ..SecretFilter::default()
        };
        check(repository, filter, expected);
    }
    for (secret_type, expected) in [
        (SecretType::Symmetric, &[1, 2][..]),
        (SecretType::Opaque, &[3]),
        (SecretType::Private, &[]),
    ] {
        let filter = SecretFilter {
            secret_type: Some(secret_type),
            ..SecretFilter::default()
        };
        check(repository, filter, expected);
    }
}

/// Times match every bound; a secret without expiration matches no bound on it.
pub fn times_match_bounds(repository: &dyn Repository) {
    for number in 1..=4 {
        let at = time(number);
        let secret = Secret {
            created: at,
            updated: at,
            expiration: (number < 4).then_some(at),
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
    }
    let (equal, greater, at_least, less, at_most) = (
        Comparison::Equal,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
    );
    for (bounds, expected) in [
        (&[(equal, 2)][..], &[2][..]),
        (&[(greater, 2)], &[3, 4]),
        (&[(at_least, 2)], &[2, 3, 4]),
        (&[(less, 2)], &[1]),
        (&[(at_most, 2)], &[1, 2]),
        (&[(greater, 1), (less, 3)], &[2]),
        (&[(at_least, 1), (at_most, 3)], &[1, 2, 3]),
        (&[(greater, 4)], &[]),
        (&[(equal, 1), (equal, 2)], &[]),
    ] {
        let bounds: Vec<_> = bounds
            .iter()
            .map(|(comparison, at)| TimeBound {
                comparison: *comparison,
                at: time(*at),
            })
            .collect();
        let created = SecretFilter {
            created: bounds.clone(),
            ..SecretFilter::default()
        };
        check(repository, created, expected);
        let updated = SecretFilter {
            updated: bounds.clone(),
            ..SecretFilter::default()
        };
        check(repository, updated, expected);
        let with_expiration: Vec<u64> = expected.iter().copied().filter(|n| *n < 4).collect();
        let expiration = SecretFilter {
            expiration: bounds,
            ..SecretFilter::default()
        };
        check(repository, expiration, &with_expiration);
    }
}

/// All conditions of a filter have to hold.
pub fn conditions_add_up(repository: &dyn Repository) {
    for number in 1..=8_u64 {
        let even = number.is_multiple_of(2);
        let secret = Secret {
            name: Some(sample::label(if number > 4 { "late" } else { "early" })),
            bit_length: BitLength::new(if even { 2 } else { 1 }).ok(),
            created: time(number),
            ..sample::secret(number, "project")
        };
        add(repository, &secret);
    }
    let filter = SecretFilter {
        name: Some("L%".to_owned()),
        bit_length: Some(2),
        created: vec![TimeBound {
            comparison: Comparison::Less,
            at: time(8),
        }],
        ..SecretFilter::default()
    };
    check(repository, filter, &[6]);
}

/// A filter works on shared secrets too.
pub fn shared_lists_are_filtered(repository: &dyn Repository) {
    for (number, name) in [(1, "a"), (2, "b"), (3, "a")] {
        add(repository, &named(number, name));
        write(repository, move |tx| {
            let acl = sample::acl(&["guest"], true);
            tx.put_secret_acl(sample::secret_id(number), &acl)
        });
    }
    add(repository, &named(4, "a"));
    let query = SecretQuery {
        scope: ListScope::SharedWith(UserId::new("guest")),
        filter: SecretFilter {
            name: Some("A".to_owned()),
            ..SecretFilter::default()
        },
        ..all_of("project")
    };
    check_list(repository, &query, &[1, 3]);
}

fn named(number: u64, name: &str) -> Secret {
    Secret {
        name: Some(sample::label(name)),
        ..sample::secret(number, "project")
    }
}

fn time(number: u64) -> Timestamp {
    let hours = i64::try_from(number).expect("a small number");
    sample::NOW.plus_seconds(hours * 3_600)
}

fn check(repository: &dyn Repository, filter: SecretFilter, expected: &[u64]) {
    let query = SecretQuery {
        filter,
        ..all_of("project")
    };
    check_list(repository, &query, expected);
}
