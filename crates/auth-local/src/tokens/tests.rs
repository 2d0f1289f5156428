use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use donjon_domain::{Scope, ports::RepositoryErrorKind};
use donjon_testkit::{FixedClock, MemoryRepository, SeededEntropy};
use tokio::sync::{Notify, Semaphore};

use super::*;

const MINUTE: i64 = 60;

/// A store whose failures and pauses the test decides.
#[derive(Default)]
struct Rows {
    rows: Mutex<Vec<TokenRow>>,
    uses: Mutex<Vec<(TokenId, Timestamp)>>,
    finds: AtomicUsize,
    fails: AtomicBool,
    /// Where set, a lookup waits here between reading and answering.
    pause_after_find: Mutex<Option<Arc<Pause>>>,
    pause_before_remove: Mutex<Option<Arc<Pause>>>,
}

struct Pause {
    reached: Notify,
    go_on: Semaphore,
}

impl Pause {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            reached: Notify::new(),
            go_on: Semaphore::new(0),
        })
    }

    async fn here(pause: &Mutex<Option<Arc<Self>>>) {
        let pause = pause.lock().unwrap().clone();
        if let Some(pause) = pause {
            pause.reached.notify_one();
            pause.go_on.acquire().await.unwrap().forget();
        }
    }
}

impl Rows {
    fn check(&self) -> Result<(), RepositoryError> {
        if self.fails.load(Ordering::Relaxed) {
            Err(RepositoryError::new(RepositoryErrorKind::Overloaded))
        } else {
            Ok(())
        }
    }
}

impl TokenStore for Rows {
    fn insert_token(&self, row: TokenRow) -> BoxFuture<'_, Result<(), RepositoryError>> {
        Box::pin(async move {
            self.check()?;
            self.rows.lock().unwrap().push(row);
            Ok(())
        })
    }

    fn find_token(
        &self,
        hash: TokenHash,
    ) -> BoxFuture<'_, Result<Option<TokenRow>, RepositoryError>> {
        Box::pin(async move {
            self.finds.fetch_add(1, Ordering::Relaxed);
            self.check()?;
            let rows = self.rows.lock().unwrap().clone();
            Pause::here(&self.pause_after_find).await;
            Ok(rows.into_iter().find(|row| row.hash == hash))
        })
    }

    fn list_tokens(&self) -> BoxFuture<'_, Result<Vec<TokenRow>, RepositoryError>> {
        Box::pin(async move {
            self.check()?;
            Ok(self.rows.lock().unwrap().clone())
        })
    }

    fn remove_token(&self, id: TokenId) -> BoxFuture<'_, Result<bool, RepositoryError>> {
        Box::pin(async move {
            self.check()?;
            Pause::here(&self.pause_before_remove).await;
            let mut rows = self.rows.lock().unwrap();
            let before = rows.len();
            rows.retain(|row| row.id != id);
            Ok(rows.len() < before)
        })
    }

    fn record_token_uses(
        &self,
        uses: Vec<(TokenId, Timestamp)>,
    ) -> BoxFuture<'_, Result<(), RepositoryError>> {
        Box::pin(async move {
            self.check()?;
            self.uses.lock().unwrap().extend(uses);
            Ok(())
        })
    }
}

struct Rig {
    tokens: Arc<Tokens>,
    store: Arc<Rows>,
    clock: Arc<FixedClock>,
}

impl Rig {
    fn new() -> Self {
        let store = Arc::new(Rows::default());
        let clock = Arc::new(FixedClock::new(at(1_000)));
        let key = SecretBytes::new(vec![7; 32]);
        let tokens = Tokens::new(
            store.clone(),
            &key,
            clock.clone(),
            Arc::new(SeededEntropy::new(1)),
        );
        Self {
            tokens: Arc::new(tokens.unwrap()),
            store,
            clock,
        }
    }

    async fn issue(&self, expires: Option<Timestamp>) -> (TokenId, String) {
        let new = NewToken {
            project: ProjectId::new("p"),
            user: Some(UserId::new("u")),
            roles: vec!["Member".to_owned()],
            expires,
        };
        let issued = self.tokens.issue(new).await.unwrap();
        let token = String::from_utf8(issued.token.expose().to_vec()).unwrap();
        (issued.id, token)
    }

    async fn try_with(&self, token: &str) -> Result<Actor, AuthErrorKind> {
        let credential = Credential {
            token: Some(token),
            project: Some("forged"),
            roles: Some("admin"),
            user: Some("forged"),
            ..Credential::default()
        };
        let outcome = self.tokens.authenticate(credential).await;
        outcome.map_err(|error| error.kind())
    }

    async fn accepts(&self, token: &str) -> bool {
        self.try_with(token).await.is_ok()
    }

    fn finds(&self) -> usize {
        self.store.finds.load(Ordering::Relaxed)
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance_seconds(seconds);
    }

    fn flushed(&self) -> BTreeMap<TokenId, Vec<Timestamp>> {
        let mut all: BTreeMap<TokenId, Vec<Timestamp>> = BTreeMap::new();
        for (id, used) in self.store.uses.lock().unwrap().iter() {
            all.entry(*id).or_default().push(*used);
        }
        all
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(seconds)
}

// === issuing ===

#[tokio::test]
async fn a_token_stands_for_its_holder_whatever_the_headers_say() {
    let rig = Rig::new();
    let (_, token) = rig.issue(None).await;
    let expected = Actor {
        user: Some(UserId::new("u")),
        project: ProjectId::new("p"),
        roles: vec!["member".to_owned()],
        scope: Scope::Project,
        identity: None,
    };
    assert_eq!(rig.try_with(&token).await, Ok(expected));
}

#[tokio::test]
async fn a_token_looks_like_one_and_is_not_stored() {
    let rig = Rig::new();
    let (id, token) = rig.issue(None).await;
    assert_eq!(token.len(), 47);
    let encoded = token.strip_prefix("djn_").unwrap();
    assert!(
        encoded
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
    let rows = rig.tokens.list().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].id, id);
    assert_eq!(rows[0].created, at(1_000));
    let stored = format!("{:?}", rows[0]);
    assert!(!stored.contains(encoded));
}

#[tokio::test]
async fn the_hash_is_keyed() {
    let token = b"djn_x";
    let hash = |byte| {
        let key = SecretBytes::new(vec![byte; 32]);
        TokenHasher::new(&key).ok().unwrap().hash(token)
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn the_hash_is_hmac_sha_256() {
    // Computed by Python's hmac module, for RFC 4231 has no key of 32 bytes.
    let key = SecretBytes::new((0..32).collect());
    let hash = TokenHasher::new(&key).ok().unwrap().hash(b"abc");
    let hex: String = hash.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(
        hex,
        "f0133729c4163dede81e21cd47839256da58171238c8a0d874397c73b14e1e47"
    );
}

#[test]
fn a_hash_key_has_32_bytes() {
    for bytes in [0, 31, 33] {
        let outcome = TokenHasher::new(&SecretBytes::new(vec![0; bytes]));
        assert_eq!(outcome.err(), Some(InvalidHashKey { bytes }));
    }
}

#[tokio::test]
async fn tokens_live_in_the_store_alone() {
    let store = Arc::new(MemoryRepository::new().running_jobs_twice());
    let clock = Arc::new(FixedClock::new(at(0)));
    let tokens = |key| {
        let key = SecretBytes::new(vec![key; 32]);
        let entropy = Arc::new(SeededEntropy::new(2));
        Tokens::new(store.clone(), &key, clock.clone(), entropy).unwrap()
    };
    let new = NewToken {
        project: ProjectId::new("p"),
        user: Some(UserId::new("u")),
        roles: Vec::new(),
        expires: None,
    };
    let issued = tokens(7).issue(new).await.unwrap();
    let credential = Credential {
        token: str::from_utf8(issued.token.expose()).ok(),
        ..Credential::default()
    };
    let restarted = tokens(7);
    assert!(restarted.authenticate(credential).await.is_ok());
    restarted.flush_uses().await.unwrap();
    assert_eq!(
        tokens(7).list().await.unwrap()[0].last_used,
        Some(at(0)),
        "the use is stored"
    );
    assert!(tokens(8).authenticate(credential).await.is_err());
}

// === refusing ===

#[tokio::test]
async fn what_is_no_token_is_refused_without_asking_storage() {
    let rig = Rig::new();
    let (_, token) = rig.issue(None).await;
    let longer = format!("{token}A");
    let other_prefix = token.replace("djn_", "gAA_");
    for text in ["", "x", &token[..46], &longer, &other_prefix] {
        let found = rig.try_with(text).await;
        assert_eq!(found, Err(AuthErrorKind::Unauthenticated), "{text}");
    }
    let none = rig.tokens.authenticate(Credential::default()).await;
    assert_eq!(none.unwrap_err().kind(), AuthErrorKind::Unauthenticated);
    assert_eq!(rig.finds(), 0);
}

#[tokio::test]
async fn a_token_that_differs_by_one_character_is_refused() {
    let rig = Rig::new();
    let (_, token) = rig.issue(None).await;
    for at in 4..token.len() {
        let mut other = token.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert!(!rig.accepts(&other).await, "{at}");
    }
    assert!(rig.accepts(&token).await);
}

#[tokio::test]
async fn expiry_is_checked_at_each_use() {
    let rig = Rig::new();
    let (_, token) = rig.issue(Some(at(1_000 + MINUTE))).await;
    rig.pass(59);
    assert!(rig.accepts(&token).await);
    rig.pass(1);
    assert!(!rig.accepts(&token).await, "from memory");
    let fresh = Rig {
        tokens: Arc::new(
            Tokens::new(
                rig.store.clone(),
                &SecretBytes::new(vec![7; 32]),
                rig.clock.clone(),
                Arc::new(SeededEntropy::new(1)),
            )
            .unwrap(),
        ),
        store: rig.store.clone(),
        clock: rig.clock.clone(),
    };
    assert!(!fresh.accepts(&token).await, "from storage");
}

#[tokio::test]
async fn a_store_that_fails_refuses_nobody_and_lets_nobody_in() {
    let rig = Rig::new();
    let (_, token) = rig.issue(None).await;
    rig.store.fails.store(true, Ordering::Relaxed);
    let found = rig.try_with(&token).await;
    assert_eq!(found, Err(AuthErrorKind::Unavailable));
}

// === memory and revocation ===

#[tokio::test]
async fn storage_is_asked_once() {
    let rig = Rig::new();
    let (_, token) = rig.issue(None).await;
    for _ in 0..3 {
        assert!(rig.accepts(&token).await);
    }
    assert_eq!(rig.finds(), 1);
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once() {
    let rig = Rig::new();
    let (id, token) = rig.issue(None).await;
    let (_, other) = rig.issue(None).await;
    assert!(rig.accepts(&token).await);
    assert!(rig.tokens.revoke(id).await.unwrap());
    assert!(!rig.accepts(&token).await);
    assert!(rig.accepts(&other).await);
    assert!(!rig.tokens.revoke(id).await.unwrap());
}

#[tokio::test]
async fn a_lookup_that_overlaps_a_revocation_leaves_nothing_behind() {
    let rig = Rig::new();
    let (id, token) = rig.issue(None).await;
    let pause = Pause::new();
    *rig.store.pause_after_find.lock().unwrap() = Some(pause.clone());

    let tokens = rig.tokens.clone();
    let slow = {
        let token = token.clone();
        tokio::spawn(async move {
            let credential = Credential {
                token: Some(&token),
                ..Credential::default()
            };
            tokens.authenticate(credential).await.is_ok()
        })
    };
    pause.reached.notified().await;
    assert!(rig.tokens.revoke(id).await.unwrap());
    pause.go_on.add_permits(1);
    assert!(slow.await.unwrap(), "it began before the revocation");

    *rig.store.pause_after_find.lock().unwrap() = None;
    assert!(!rig.accepts(&token).await);
}

#[tokio::test]
async fn a_revocation_that_nobody_waits_for_leaves_nothing_behind() {
    let rig = Rig::new();
    let (id, token) = rig.issue(None).await;
    let pause = Pause::new();
    *rig.store.pause_before_remove.lock().unwrap() = Some(pause.clone());
    let tokens = rig.tokens.clone();
    let revoking = tokio::spawn(async move { tokens.revoke(id).await });
    pause.reached.notified().await;
    revoking.abort();
    assert!(revoking.await.unwrap_err().is_cancelled());

    // Storage goes on by itself: a request in between, then the removal.
    assert!(rig.accepts(&token).await);
    rig.store.rows.lock().unwrap().clear();
    assert!(!rig.accepts(&token).await);
}

#[tokio::test]
async fn a_failed_revocation_says_so() {
    let rig = Rig::new();
    let (id, token) = rig.issue(None).await;
    rig.store.fails.store(true, Ordering::Relaxed);
    assert!(rig.tokens.revoke(id).await.is_err());
    rig.store.fails.store(false, Ordering::Relaxed);
    assert!(rig.accepts(&token).await);
    assert!(rig.tokens.revoke(id).await.unwrap());
    assert!(!rig.accepts(&token).await);
}

#[test]
fn memory_is_bounded_and_keeps_what_is_in_use() {
    let cache = TokenCache::new(10);
    let row = |n: u8| TokenRow {
        id: TokenId::from_bytes([n; 16]),
        hash: TokenHash::from_bytes([n; 32]),
        project: ProjectId::new("p"),
        user: UserId::new("u"),
        roles: Vec::new(),
        created: at(0),
        expires: None,
        last_used: None,
    };
    for n in 0..100 {
        cache.keep(cache.generation(), row(n), at(i64::from(n)));
        assert!(cache.find(&row(0).hash, at(0)).is_some(), "{n}");
    }
    let found = |n: &u8| cache.find(&row(*n).hash, at(0)).is_some();
    let kept = (0..100).filter(found).count();
    assert!((5..=10).contains(&kept), "{kept}");
    // Uses of what was thrown out are not lost.
    assert_eq!(cache.take_uses().len(), 100);
}

// === uses ===

#[tokio::test]
async fn uses_are_flushed_once_and_shown_before() {
    let rig = Rig::new();
    let (id, token) = rig.issue(None).await;
    rig.tokens.flush_uses().await.unwrap();
    assert!(rig.flushed().is_empty());

    rig.accepts(&token).await;
    rig.pass(5);
    rig.accepts(&token).await;
    let listed = rig.tokens.list().await.unwrap();
    assert_eq!(listed[0].last_used, Some(at(1_005)));

    rig.tokens.flush_uses().await.unwrap();
    rig.tokens.flush_uses().await.unwrap();
    assert_eq!(rig.flushed(), BTreeMap::from([(id, vec![at(1_005)])]));
}

#[tokio::test]
async fn uses_that_could_not_be_flushed_are_flushed_later() {
    let rig = Rig::new();
    let (id, token) = rig.issue(None).await;
    rig.accepts(&token).await;
    rig.store.fails.store(true, Ordering::Relaxed);
    assert!(rig.tokens.flush_uses().await.is_err());
    rig.store.fails.store(false, Ordering::Relaxed);
    rig.tokens.flush_uses().await.unwrap();
    assert_eq!(rig.flushed(), BTreeMap::from([(id, vec![at(1_000)])]));
}

#[tokio::test]
async fn a_refused_use_is_not_noted() {
    let rig = Rig::new();
    let (_, token) = rig.issue(Some(at(1_000))).await;
    assert!(!rig.accepts(&token).await);
    rig.tokens.flush_uses().await.unwrap();
    assert!(rig.flushed().is_empty());
}
