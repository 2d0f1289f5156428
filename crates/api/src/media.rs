//! Media types: what a request accepts, and what it sends.
//!
//! # Source
//! RFC 9110, 12.5.1 (Accept); the recorded exchanges of the groups
//! `secrets-read` and `http` for what Barbican makes of it.

use donjon_domain::ContentType;
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
};

/// The `Accept` header of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accept<'a>(Option<&'a str>);

/// What a request for a payload accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PayloadAccept<'a> {
    /// The bytes, whatever they are; answered as octets.
    Nothing,
    /// The type that was stored.
    Stored,
    /// Text, answered with the charset that Barbican names.
    Text,
    /// Text, answered with the type as it was asked for.
    TextAs(&'a str),
    /// The bytes, answered with the type as it was asked for.
    BytesAs(&'a str),
    /// Nothing that a payload can be.
    Other,
}

impl<'a> Accept<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        // A header that is no text cannot be understood, which is the same as none.
        Self(headers.get(ACCEPT).and_then(|value| value.to_str().ok()))
    }

    fn raw(self) -> &'a str {
        self.0.unwrap_or_default().trim()
    }

    /// Whether an answer in JSON will do: no header, an unintelligible one, or
    /// one that has JSON in it.
    pub(crate) fn takes_json(self) -> bool {
        self.any_range(|kind| matches!(kind, "*/*" | "application/*" | "application/json"))
    }

    /// Whether anything that is registered as a media type will do.
    pub(crate) fn takes_any_known(self) -> bool {
        self.any_range(|kind| {
            kind == "*/*"
                || kind
                    .split_once('/')
                    .is_some_and(|(top, _)| REGISTRIES.contains(&top))
        })
    }

    /// Whether a page in HTML will do, as the answer to a wrong method is one.
    pub(crate) fn takes_html(self) -> bool {
        self.any_range(|kind| matches!(kind, "*/*" | "text/*" | "text/html"))
    }

    /// Whether JSON is asked for by name.
    pub(crate) fn prefers_json(self) -> bool {
        !self.raw().is_empty() && self.any_range(|kind| kind == "application/json")
    }

    /// Whether a call on a secret asks for its metadata rather than, in the
    /// old way, for its payload.
    pub(crate) fn is_for_metadata(self) -> bool {
        matches!(self.0, None | Some("application/json" | "*/*"))
    }

    pub(crate) fn for_payload(self) -> PayloadAccept<'a> {
        let raw = self.raw();
        if raw.is_empty() {
            return PayloadAccept::Nothing;
        }
        if raw == "*/*" {
            return PayloadAccept::Stored;
        }
        match ContentType::parse(raw) {
            Some((ContentType::Text | ContentType::TextWithCharset, false)) => PayloadAccept::Text,
            Some((ContentType::Text | ContentType::TextWithCharset, true)) => {
                PayloadAccept::TextAs(raw)
            }
            Some((ContentType::OctetStream | ContentType::Pkcs8, false)) => {
                PayloadAccept::BytesAs(raw)
            }
            Some((ContentType::OctetStream | ContentType::Pkcs8, true)) | None => {
                PayloadAccept::Other
            }
        }
    }

    fn any_range(self, matches: impl Fn(&str) -> bool) -> bool {
        let raw = self.raw();
        let mut ranges = raw.split(',').map(str::trim).peekable();
        if raw.is_empty() || !ranges.clone().all(is_media_range) {
            return true;
        }
        ranges.any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            matches(&kind) && !parts.any(is_zero_quality)
        })
    }
}

impl PayloadAccept<'_> {
    /// The content type of the answer, or `None` where the payload cannot be
    /// shown in any way that is accepted.
    pub(crate) fn answer(self, stored: ContentType, payload: &[u8]) -> Option<HeaderValue> {
        let text_or = |value| std::str::from_utf8(payload).ok().map(|_| value);
        match self {
            Self::Nothing => Some(HeaderValue::from_static("application/octet-stream")),
            Self::Stored if matches!(stored, ContentType::Text | ContentType::TextWithCharset) => {
                Self::Text.answer(stored, payload)
            }
            Self::Stored => Some(HeaderValue::from_static(stored.as_str())),
            Self::Text => text_or(HeaderValue::from_static("text/plain; charset=UTF-8")),
            Self::TextAs(asked) => HeaderValue::from_str(asked).ok().and_then(text_or),
            Self::BytesAs(asked) => HeaderValue::from_str(asked).ok(),
            Self::Other => None,
        }
    }
}

/// Reads content types as the `payload_content_type` of a request has them.
pub(crate) trait ParseContentType: Sized {
    /// The type, and whether a charset was named. Only UTF-8 is a charset.
    fn parse(text: &str) -> Option<(Self, bool)>;
}

impl ParseContentType for ContentType {
    fn parse(text: &str) -> Option<(Self, bool)> {
        let mut parts = text.split(';');
        let kind = parts.next()?.trim().to_ascii_lowercase();
        let content_type = Self::from_stored(&kind)?;
        let Some(first) = parts.next() else {
            return Some((content_type, false));
        };
        let (key, value) = first.split_once('=')?;
        let utf8 = key.trim().eq_ignore_ascii_case("charset")
            && value.trim().eq_ignore_ascii_case("utf-8");
        utf8.then_some((content_type, true))
    }
}

/// The media type that a request says its body has, in lower case and without
/// parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase(),
    )
}

fn is_media_range(range: &str) -> bool {
    let kind = range.split(';').next().unwrap_or_default().trim();
    kind == "*"
        || kind
            .split_once('/')
            .is_some_and(|(top, sub)| is_token(top) && is_token(sub) && (top != "*" || sub == "*"))
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_zero_quality(parameter: &str) -> bool {
    let Some((key, value)) = parameter.split_once('=') else {
        return false;
    };
    key.trim().eq_ignore_ascii_case("q")
        && value
            .trim()
            .parse::<f32>()
            .is_ok_and(|quality| quality == 0.0)
}

/// The top-level registries of media types. Barbican asks the operating
/// system's table; what is in neither is refused in the same way.
const REGISTRIES: [&str; 9] = [
    "application",
    "audio",
    "font",
    "image",
    "message",
    "model",
    "multipart",
    "text",
    "video",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_take_json() {
        for (raw, expected) in [
            (None, true),
            (Some(""), true),
            (Some("*/*"), true),
            (Some("application/json"), true),
            (Some("application/*"), true),
            (Some("application/json;q=0.5"), true),
            (Some("application/json; charset=utf-8"), true),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), true),
            (Some("garbage"), true),
            (Some("text/plain"), false),
            (Some("application/json;q=0"), false),
            (Some("application/octet-stream"), false),
        ] {
            assert_eq!(Accept(raw).takes_json(), expected, "{raw:?}");
        }
    }

    #[test]
    fn known_media_types() {
        for (raw, expected) in [
            ("text/plain", true),
            ("image/png", true),
            ("foo/bar", false),
            ("foo/bar, text/plain", true),
        ] {
            assert_eq!(Accept(Some(raw)).takes_any_known(), expected, "{raw}");
        }
    }

    #[test]
    fn payloads_are_asked_for_by_one_exact_type() {
        for (raw, expected) in [
            (None, PayloadAccept::Nothing),
            (Some(""), PayloadAccept::Nothing),
            (Some("*/*"), PayloadAccept::Stored),
            (Some("text/plain"), PayloadAccept::Text),
            (Some(" text/plain "), PayloadAccept::Text),
            (
                Some("text/plain;charset=utf-8"),
                PayloadAccept::TextAs("text/plain;charset=utf-8"),
            ),
            (
                Some("application/octet-stream"),
                PayloadAccept::BytesAs("application/octet-stream"),
            ),
            (
                Some("application/pkcs8"),
                PayloadAccept::BytesAs("application/pkcs8"),
            ),
            (Some("application/octet-stream;q=1.0"), PayloadAccept::Other),
            (Some("text/plain, */*"), PayloadAccept::Other),
            (Some("text/*"), PayloadAccept::Other),
            (Some("text/plain;charset=latin-1"), PayloadAccept::Other),
            (Some("application/json"), PayloadAccept::Other),
        ] {
            assert_eq!(Accept(raw).for_payload(), expected, "{raw:?}");
        }
    }

    #[test]
    fn text_is_shown_as_text_only_if_it_is_utf8() {
        let bytes = b"\xff\x00\xff";
        assert_eq!(
            PayloadAccept::Text.answer(ContentType::OctetStream, bytes),
            None
        );
        assert!(
            PayloadAccept::Nothing
                .answer(ContentType::OctetStream, bytes)
                .is_some()
        );
        assert_eq!(
            PayloadAccept::Stored
                .answer(ContentType::Pkcs8, bytes)
                .unwrap(),
            "application/pkcs8"
        );
    }

    #[test]
    fn content_types_of_requests() {
        for (text, expected) in [
            ("text/plain", Some((ContentType::Text, false))),
            ("TEXT/PLAIN", Some((ContentType::Text, false))),
            (
                "text/plain;  charset = UTF-8",
                Some((ContentType::Text, true)),
            ),
            (
                "text/plain; charset=utf-8; format=flowed",
                Some((ContentType::Text, true)),
            ),
            (
                "application/octet-stream;charset=utf-8",
                Some((ContentType::OctetStream, true)),
            ),
            ("text/plain; charset=utf8", None),
            ("text/plain; charset=\"utf-8\"", None),
            ("text/plain;", None),
            ("text/plain; format=flowed", None),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(ContentType::parse(text), expected, "{text}");
        }
    }
}
