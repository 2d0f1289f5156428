//! `TokenStore` in memory.

use std::convert::identity;

use donjon_domain::{
    Timestamp, TokenHash, TokenId, TokenRow,
    ports::{BoxFuture, RepositoryError, RepositoryErrorKind, TokenStore},
};

use super::MemoryRepository;

impl TokenStore for MemoryRepository {
    fn insert_token(&self, row: TokenRow) -> BoxFuture<'_, Result<(), RepositoryError>> {
        Box::pin(async move {
            self.transact(identity, |tx| {
                let state = tx.adding()?;
                let taken = |old: &TokenRow| old.id == row.id || old.hash == row.hash;
                if state.tokens.iter().any(taken) {
                    return Err(RepositoryError::new(RepositoryErrorKind::Duplicate));
                }
                state.tokens.push(row.clone());
                Ok(())
            })
        })
    }

    fn find_token(
        &self,
        hash: TokenHash,
    ) -> BoxFuture<'_, Result<Option<TokenRow>, RepositoryError>> {
        Box::pin(async move {
            let inner = self.lock();
            let found = inner.state.tokens.iter().find(|row| row.hash == hash);
            Ok(found.cloned())
        })
    }

    fn list_tokens(&self) -> BoxFuture<'_, Result<Vec<TokenRow>, RepositoryError>> {
        Box::pin(async move {
            let mut rows = self.lock().state.tokens.clone();
            rows.sort_by_key(|row| row.created);
            Ok(rows)
        })
    }

    fn remove_token(&self, id: TokenId) -> BoxFuture<'_, Result<bool, RepositoryError>> {
        Box::pin(async move {
            self.transact(identity, |tx| {
                let tokens = &mut tx.state_mut().tokens;
                let before = tokens.len();
                tokens.retain(|row| row.id != id);
                Ok(tokens.len() < before)
            })
        })
    }

    fn record_token_uses(
        &self,
        uses: Vec<(TokenId, Timestamp)>,
    ) -> BoxFuture<'_, Result<(), RepositoryError>> {
        Box::pin(async move {
            self.transact(identity, |tx| {
                for (id, at) in &uses {
                    let tokens = &mut tx.state_mut().tokens;
                    if let Some(row) = tokens.iter_mut().find(|row| row.id == *id) {
                        row.last_used = row.last_used.max(Some(*at));
                    }
                }
                Ok(())
            })
        })
    }
}
