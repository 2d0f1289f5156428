//! Rows of locally issued tokens.

use crate::{
    Timestamp, TokenHash, TokenId, TokenRow,
    ports::{BoxFuture, RepositoryError},
};

/// Keeps token rows. Every method resolves after its effect is durable.
pub trait TokenStore: Send + Sync {
    /// Adds a row. Its id and its hash have to be new, else the outcome is
    /// [`RepositoryErrorKind::Duplicate`](super::RepositoryErrorKind).
    fn insert_token(&self, row: TokenRow) -> BoxFuture<'_, Result<(), RepositoryError>>;

    /// The row with this hash.
    fn find_token(
        &self,
        hash: TokenHash,
    ) -> BoxFuture<'_, Result<Option<TokenRow>, RepositoryError>>;

    /// All rows, oldest first.
    fn list_tokens(&self) -> BoxFuture<'_, Result<Vec<TokenRow>, RepositoryError>>;

    /// Removes a row; `false` where there was none.
    fn remove_token(&self, id: TokenId) -> BoxFuture<'_, Result<bool, RepositoryError>>;

    /// Notes when tokens were last accepted. Unknown ids are passed over; an
    /// earlier time than the one noted changes nothing.
    fn record_token_uses(
        &self,
        uses: Vec<(TokenId, Timestamp)>,
    ) -> BoxFuture<'_, Result<(), RepositoryError>>;
}
