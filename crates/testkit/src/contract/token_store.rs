//! What every `TokenStore` has to do.

use donjon_domain::{
    TokenHash, TokenRow,
    ports::{RepositoryErrorKind, TokenStore},
};

use crate::{block_on, sample};

/// Makes a test of each fact. The expression makes an empty store.
#[macro_export]
macro_rules! token_store_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            token_store {
                a_token_is_found_by_its_hash,
                a_token_without_optional_parts_is_read_back,
                tokens_are_listed_oldest_first,
                a_removed_token_is_gone,
                a_taken_id_or_hash_is_a_duplicate,
                the_latest_use_is_noted,
            }
        }
    };
}

/// A row is found by its hash, whole, and by no other.
pub fn a_token_is_found_by_its_hash(store: &dyn TokenStore) {
    insert(store, sample::token(1));
    insert(store, sample::token(2));
    assert_eq!(find(store, 2), Some(sample::token(2)));
    assert_eq!(find(store, 3), None);
}

/// A row may have no expiry, no role, and odd texts.
pub fn a_token_without_optional_parts_is_read_back(store: &dyn TokenStore) {
    let bare = TokenRow {
        roles: Vec::new(),
        expires: None,
        ..sample::token(1)
    };
    insert(store, bare.clone());
    assert_eq!(find(store, 1), Some(bare));
    let odd = TokenRow {
        roles: vec!["a,b".to_owned(), String::new(), "ü\n".to_owned()],
        last_used: Some(sample::NOW),
        ..sample::token(2)
    };
    insert(store, odd.clone());
    assert_eq!(find(store, 2), Some(odd));
}

/// All rows are listed, the oldest first.
pub fn tokens_are_listed_oldest_first(store: &dyn TokenStore) {
    assert_eq!(list(store), []);
    for number in [3, 1, 2] {
        insert(store, sample::token(number));
    }
    assert_eq!(list(store), [1, 2, 3].map(sample::token));
}

/// A removed row is gone at once; removing it again tells that there is none.
pub fn a_removed_token_is_gone(store: &dyn TokenStore) {
    insert(store, sample::token(1));
    insert(store, sample::token(2));
    let remove = |number| block_on(store.remove_token(sample::token(number).id));
    assert!(remove(1).expect("removing succeeds"));
    assert!(!remove(1).expect("removing succeeds"));
    assert_eq!(find(store, 1), None);
    assert_eq!(list(store), [sample::token(2)]);
}

/// Neither an id nor a hash is there twice.
pub fn a_taken_id_or_hash_is_a_duplicate(store: &dyn TokenStore) {
    insert(store, sample::token(1));
    let same_id = TokenRow {
        id: sample::token(1).id,
        ..sample::token(2)
    };
    let same_hash = TokenRow {
        hash: sample::token(1).hash,
        ..sample::token(3)
    };
    for row in [same_id, same_hash] {
        let error = block_on(store.insert_token(row)).expect_err("the row is refused");
        assert_eq!(error.kind(), RepositoryErrorKind::Duplicate);
    }
    assert_eq!(list(store), [sample::token(1)]);
}

/// Uses are noted; the latest wins, and unknown ids do no harm.
pub fn the_latest_use_is_noted(store: &dyn TokenStore) {
    insert(store, sample::token(1));
    insert(store, sample::token(2));
    let id = |number| sample::token(number).id;
    let at = |seconds| sample::NOW.plus_seconds(seconds);
    for uses in [
        vec![(id(1), at(10)), (id(9), at(10))],
        vec![(id(1), at(5)), (id(2), at(7)), (id(2), at(6))],
        Vec::new(),
    ] {
        block_on(store.record_token_uses(uses)).expect("noting succeeds");
    }
    let last_used = |number| find(store, number).and_then(|row| row.last_used);
    assert_eq!(last_used(1), Some(at(10)));
    assert_eq!(last_used(2), Some(at(7)));
}

fn insert(store: &dyn TokenStore, row: TokenRow) {
    block_on(store.insert_token(row)).expect("the row is new");
}

fn find(store: &dyn TokenStore, number: u8) -> Option<TokenRow> {
    block_on(store.find_token(TokenHash::from_bytes([number; 32]))).expect("finding succeeds")
}

fn list(store: &dyn TokenStore) -> Vec<TokenRow> {
    block_on(store.list_tokens()).expect("listing succeeds")
}
