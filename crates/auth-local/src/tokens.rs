//! Tokens that this server issues. What is stored of one is a keyed hash and
//! whom it stands for; the token itself is shown once, to whoever asked for it.
//!
//! Invariants: a token whose revocation has returned is refused by every
//! request that begins afterwards; an expired token is refused at each use.

mod cache;
mod secret;

use std::{fmt, sync::Arc};

use donjon_domain::{
    Actor, ProjectId, SecretBytes, Timestamp, TokenHash, TokenId, TokenRow, UserId,
    ports::{
        AuthError, AuthErrorKind, Authenticator, BoxFuture, Clock, Credential, Entropy,
        RepositoryError, TokenStore,
    },
};

use self::{
    cache::{Known, TokenCache, actor_of},
    secret::TokenHasher,
};

pub use self::secret::InvalidHashKey;

/// Issues, lists, revokes and checks tokens. Everything that changes tokens
/// goes through the one value of this type that the server has: it keeps the
/// last 10,000 tokens in use in memory, where a check costs about a
/// microsecond.
pub struct Tokens {
    store: Arc<dyn TokenStore>,
    hasher: TokenHasher,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    cache: TokenCache,
}

/// Whom a new token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The project for which it is valid.
    pub project: ProjectId,
    /// The user whom its holder is; `None` for one of its own, named like the
    /// id of the token.
    pub user: Option<UserId>,
    /// Role names; stored in lower case.
    pub roles: Vec<String>,
    /// From when on it is refused; `None` means never.
    pub expires: Option<Timestamp>,
}

/// A new token.
#[derive(Debug)]
pub struct Issued {
    /// Names it to people, to revoke it.
    pub id: TokenId,
    /// The token: 47 characters of ASCII that start with `djn_`. Nobody can
    /// show it again.
    pub token: SecretBytes,
}

impl Tokens {
    /// Hashes with `hash_key`, 32 bytes that have to stay the same for as long
    /// as `store` lives.
    ///
    /// # Errors
    /// [`InvalidHashKey`] where the key has another length.
    pub fn new(
        store: Arc<dyn TokenStore>,
        hash_key: &SecretBytes,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, InvalidHashKey> {
        Ok(Self {
            store,
            hasher: TokenHasher::new(hash_key)?,
            clock,
            entropy,
            cache: TokenCache::new(CACHED_TOKENS_MAX),
        })
    }

    /// Makes a token. It is valid when this returns.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn issue(&self, new: NewToken) -> Result<Issued, RepositoryError> {
        let token = secret::draw(&*self.entropy);
        let id = TokenId::from_uuid(self.entropy.uuid_v4());
        let row = TokenRow {
            id,
            hash: self.hasher.hash(token.expose()),
            project: new.project,
            user: new.user.unwrap_or_else(|| UserId::new(id.to_string())),
            roles: new.roles.iter().map(|role| role.to_lowercase()).collect(),
            created: self.clock.now(),
            expires: new.expires,
            last_used: None,
        };
        self.store.insert_token(row).await?;
        Ok(Issued { id, token })
    }

    /// All tokens, oldest first, expired ones too, with their last use up to
    /// this second.
    ///
    /// # Errors
    /// As storage fails.
    pub async fn list(&self) -> Result<Vec<TokenRow>, RepositoryError> {
        let mut rows = self.store.list_tokens().await?;
        let uses = self.cache.uses();
        for row in &mut rows {
            row.last_used = row.last_used.max(uses.get(&row.id).copied());
        }
        Ok(rows)
    }

    /// Ends a token; `false` where there is none with this id. When this
    /// returns, every request that begins later is refused.
    ///
    /// # Errors
    /// As storage fails; the token may be valid still.
    pub async fn revoke(&self, id: TokenId) -> Result<bool, RepositoryError> {
        self.cache.removing(id);
        let removed = self.store.remove_token(id).await?;
        self.cache.removed(id);
        Ok(removed)
    }

    /// Stores when tokens were last used. To be called each minute, and before
    /// the end.
    ///
    /// # Errors
    /// As storage fails; the next call tries again.
    pub async fn flush_uses(&self) -> Result<(), RepositoryError> {
        let uses = self.cache.take_uses();
        if uses.is_empty() {
            return Ok(());
        }
        let flushed = self.store.record_token_uses(uses.clone()).await;
        if flushed.is_err() {
            self.cache.return_uses(uses);
        }
        flushed
    }

    async fn look_up(&self, hash: TokenHash) -> Result<Actor, AuthError> {
        let generation = self.cache.generation();
        let row = self
            .store
            .find_token(hash)
            .await
            .map_err(|error| AuthError::with_source(AuthErrorKind::Unavailable, error))?
            .filter(|row| row.hash == hash)
            .ok_or_else(refused)?;
        let now = self.clock.now();
        if row.is_expired(now) {
            return Err(refused());
        }
        let actor = actor_of(&row);
        self.cache.keep(generation, row, now);
        Ok(actor)
    }
}

impl Authenticator for Tokens {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Actor, AuthError>> {
        let token = credential.token.unwrap_or_default();
        if !secret::is_shaped_like_ours(token) {
            return Box::pin(std::future::ready(Err(refused())));
        }
        let hash = self.hasher.hash(token.as_bytes());
        match self.cache.find(&hash, self.clock.now()) {
            Some(Known::Valid(actor)) => Box::pin(std::future::ready(Ok(actor))),
            Some(Known::Expired) => Box::pin(std::future::ready(Err(refused()))),
            None => Box::pin(self.look_up(hash)),
        }
    }

    fn recognises(&self, token: &str) -> bool {
        secret::is_shaped_like_ours(token)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

fn refused() -> AuthError {
    AuthError::new(AuthErrorKind::Unauthenticated)
}

const CACHED_TOKENS_MAX: usize = 10_000;

#[cfg(test)]
mod tests;
