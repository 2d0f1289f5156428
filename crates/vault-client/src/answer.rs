//! What a server said.

use std::sync::Arc;

use bytes::Bytes;
use donjon_http_client::one_line;
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::{
    VaultError,
    wire::{Errors, Nothing},
};

/// An answer with a status of 2xx or 4xx.
#[derive(Debug)]
pub struct Answer {
    pub(crate) url: Arc<str>,
    /// Method and path.
    pub(crate) what: String,
    pub(crate) status: StatusCode,
    pub(crate) body: Body,
}

/// Never shown: it may be secret.
pub(crate) struct Body(pub(crate) Bytes);

impl Answer {
    /// `None` where there is no such entry, which another 404 is not, such as
    /// that of an engine which is not there.
    ///
    /// # Errors
    /// As [`Self::good`].
    pub fn found(self) -> Result<Option<Self>, VaultError> {
        if self.is_missing() {
            return Ok(None);
        }
        self.good().map(Some)
    }

    /// Itself, if it is 2xx.
    ///
    /// # Errors
    /// [`VaultError::Denied`] and [`VaultError::Refused`].
    pub fn good(self) -> Result<Self, VaultError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let (url, what, words) = (self.url.to_string(), self.what.clone(), self.words());
        Err(match self.status {
            StatusCode::FORBIDDEN => VaultError::Denied { url, what, words },
            status => VaultError::Refused {
                url,
                status,
                what,
                words,
            },
        })
    }

    /// Nothing else than that it is done.
    ///
    /// # Errors
    /// As [`Self::good`], and [`VaultError::Garbled`] where it says something, as
    /// a page of a proxy does.
    pub fn silent(self) -> Result<(), VaultError> {
        let good = self.good()?;
        if good.status == StatusCode::NO_CONTENT {
            Ok(())
        } else {
            Err(good.garbled())
        }
    }

    /// What it holds.
    ///
    /// # Errors
    /// As [`Self::good`], and [`VaultError::Garbled`].
    pub fn expect<T: DeserializeOwned>(self) -> Result<T, VaultError> {
        let good = self.good()?;
        // What stands there may be secret, and its errors quote it.
        serde_json::from_slice(&good.body.0).map_err(|_quotes| good.garbled())
    }

    /// An error for what is no answer of this call.
    #[must_use]
    pub fn garbled(&self) -> VaultError {
        VaultError::Garbled {
            url: self.url.to_string(),
            what: self.what.clone(),
        }
    }

    pub(crate) fn is_missing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
            && match serde_json::from_slice(&self.body.0) {
                Ok(Nothing::Never { errors }) => errors.is_empty(),
                Ok(Nothing::Deleted { .. }) => true,
                Err(_) => false,
            }
    }

    /// The server's words, which are about paths and policies, never about
    /// payloads. Short.
    pub(crate) fn words(&self) -> String {
        let errors: Errors = serde_json::from_slice(&self.body.0).unwrap_or_default();
        let words = one_line(&errors.errors.join("; "), WORDS_MAX);
        if words.is_empty() {
            "without a reason".to_owned()
        } else {
            words
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

const WORDS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(status: StatusCode, body: &'static str) -> Result<Option<Answer>, VaultError> {
        let answer = Answer {
            url: "http://vault".into(),
            what: "GET /v1/x".to_owned(),
            status,
            body: Body(Bytes::from_static(body.as_bytes())),
        };
        answer.found()
    }

    /// Words end up on the terminal of whoever moves secrets.
    #[test]
    fn words_do_not_steer_a_terminal() {
        let answer = Answer {
            url: "http://vault".into(),
            what: "GET /v1/x".to_owned(),
            status: StatusCode::BAD_REQUEST,
            body: Body(Bytes::from_static(
                br#"{"errors":["no\u001b[2J such\u009b1m", "\u001b]0;x\u0007path"]}"#,
            )),
        };
        let error = answer.good().unwrap_err().to_string();
        assert!(error.contains("no [2J such 1m; ]0;x path"), "{error}");
        assert!(!error.contains(char::is_control), "{error:?}");
    }

    #[test]
    fn only_the_server_itself_says_that_nothing_is_there() {
        let deleted = r#"{"request_id": "r", "data": {"data": null, "metadata": {"version": 1}}}"#;
        for (body, is_missing) in [
            (r#"{"errors":[]}"#, true),
            (deleted, true),
            (r#"{"errors":["no handler for route"]}"#, false),
            (r#"{"message":"no Route matched with those values"}"#, false),
            (r#"{"errors":null}"#, false),
            (r#"{"data":{"data":{"payload":"x"},"metadata":{}}}"#, false),
            (r#"{"data":null}"#, false),
            ("{}", false),
            ("[]", false),
            ("", false),
            ("<html>Not Found</html>", false),
        ] {
            let found = found(StatusCode::NOT_FOUND, body);
            assert_eq!(matches!(found, Ok(None)), is_missing, "{body}");
        }
        assert!(found(StatusCode::BAD_REQUEST, r#"{"errors":[]}"#).is_err());
    }
}
