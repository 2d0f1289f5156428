//! What every implementation of a port has to do, as tests.
//!
//! A fact is a public function that panics where the fact does not hold. The
//! macros make one `#[test]` of each; give them an expression that makes a
//! fresh subject, which may be a guard that derefs to it. The facts of the
//! macros come in modules, so one macro call needs a module of its own where
//! another stands beside it.

pub mod authenticator;
pub mod crypto;
pub mod directory;
pub mod key_generator;
pub mod key_source;
pub mod key_wrapper;
pub mod payload_store;
pub mod repository;
pub mod token_store;
pub mod workers;

/// The bytes with one bit changed, at every place; and cut, and grown.
pub(crate) fn changes(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flipped = (0..bytes.len()).map(|at| {
        let mut changed = bytes.to_vec();
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        changed
    });
    let cut = bytes.split_last().map_or(&[][..], |(_, rest)| rest);
    flipped.chain([Vec::new(), cut.to_vec(), [bytes, &[0]].concat()])
}

/// Makes a test of each fact. For the macros of the single contracts.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($make:expr; repository; $($group:ident { $($fact:ident),* $(,)? })*) => {
        $(mod $group {
            #[allow(unused_imports, reason = "what makes the subject may come from here")]
            use super::*;

            $(#[test]
            fn $fact() {
                let subject = $make;
                $crate::contract::repository::$group::$fact(&*subject);
            })*
        })*
    };
    ($make:expr; $group:ident { $($fact:ident),* $(,)? }) => {
        mod $group {
            #[allow(unused_imports, reason = "what makes the subject may come from here")]
            use super::*;

            $(#[test]
            fn $fact() {
                let subject = $make;
                $crate::contract::$group::$fact(&*subject);
            })*
        }
    };
}

#[cfg(test)]
mod tests {
    /// Compares the facts of a source file with those that its macro runs.
    fn check(listing: &str, group: &str, source: &str) {
        let (_, after) = listing
            .split_once(&format!(" {group} {{"))
            .expect("the group is listed");
        let (list, _) = after.split_once('}').expect("the list ends");
        let listed: Vec<&str> = list
            .split(',')
            .map(str::trim)
            .filter(|fact| !fact.is_empty())
            .collect();
        let defined: Vec<&str> = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub fn "))
            .filter_map(|rest| rest.split(['(', '<']).next())
            .collect();
        assert_eq!(listed, defined, "{group}");
        assert!(!listed.is_empty(), "{group}");
    }

    #[test]
    fn every_fact_is_run() {
        let repository = include_str!("contract/repository.rs");
        for (group, source) in [
            ("secrets", include_str!("contract/repository/secrets.rs")),
            (
                "transactions",
                include_str!("contract/repository/transactions.rs"),
            ),
            ("lists", include_str!("contract/repository/lists.rs")),
            ("filters", include_str!("contract/repository/filters.rs")),
            ("acls", include_str!("contract/repository/acls.rs")),
            (
                "consumers",
                include_str!("contract/repository/consumers.rs"),
            ),
            (
                "user_metadata",
                include_str!("contract/repository/user_metadata.rs"),
            ),
            (
                "containers",
                include_str!("contract/repository/containers.rs"),
            ),
            (
                "container_consumers",
                include_str!("contract/repository/container_consumers.rs"),
            ),
            (
                "container_lists",
                include_str!("contract/repository/container_lists.rs"),
            ),
            ("orders", include_str!("contract/repository/orders.rs")),
            ("quotas", include_str!("contract/repository/quotas.rs")),
            ("outside", include_str!("contract/repository/outside.rs")),
            (
                "secret_stores",
                include_str!("contract/repository/secret_stores.rs"),
            ),
            (
                "transport_keys",
                include_str!("contract/repository/transport_keys.rs"),
            ),
            ("keks", include_str!("contract/repository/keks.rs")),
            ("projects", include_str!("contract/repository/projects.rs")),
        ] {
            check(repository, group, source);
        }
        let tokens = include_str!("contract/token_store.rs");
        check(tokens, "token_store", tokens);
        let crypto = include_str!("contract/crypto.rs");
        check(crypto, "crypto", crypto);
        let generator = include_str!("contract/key_generator.rs");
        check(generator, "key_generator", generator);
        let wrapper = include_str!("contract/key_wrapper.rs");
        check(wrapper, "key_wrapper", wrapper);
        let store = include_str!("contract/payload_store.rs");
        check(store, "payload_store", store);
        let workers = include_str!("contract/workers.rs");
        check(workers, "workers", workers);
        let authenticator = include_str!("contract/authenticator.rs");
        check(authenticator, "authenticator", authenticator);
        let directory = include_str!("contract/directory.rs");
        check(directory, "directory", directory);
    }
}
