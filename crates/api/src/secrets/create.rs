//! From the body of `POST /v1/secrets` to a new secret: fields, types,
//! encodings and sizes, checked in Barbican's order.

use donjon_app::{NewPayload, NewSecret};
use donjon_domain::{BitLength, ContentType, Label, SecretBytes, SecretType, Timestamp};
use http::StatusCode;

use crate::{
    base64::decode_lenient,
    json::Json,
    media::ParseContentType as _,
    problem::Problem,
    schema::{Fields, Schema},
};

/// What an object says of a secret; an order says the same of its keys.
pub(crate) struct Described {
    pub(crate) name: Option<Label>,
    pub(crate) secret_type: SecretType,
    pub(crate) algorithm: Option<Label>,
    pub(crate) mode: Option<Label>,
    pub(crate) bit_length: Option<BitLength>,
    pub(crate) expiration: Option<Timestamp>,
    pub(crate) payload: Option<NewPayload>,
}

/// Reads the body. `payload_bytes_max` counts the payload as it was sent,
/// before base64 is decoded.
pub(crate) fn read(
    body: &Json,
    payload_bytes_max: usize,
    now: Timestamp,
) -> Result<NewSecret, Problem> {
    let fields = Schema::Secret.object(body)?;
    let described = describe(fields, payload_bytes_max, now)?;
    if described.payload.is_none() && fields.get("payload_content_type").is_some() {
        let reason = "payload must be provided when payload_content_type is specified";
        return Err(fields.violation("payload", reason));
    }
    Ok(NewSecret {
        name: described.name,
        secret_type: described.secret_type,
        algorithm: described.algorithm,
        mode: described.mode,
        bit_length: described.bit_length,
        expiration: described.expiration,
        payload: described.payload,
    })
}

/// Reads the fields that describe a secret, and its payload where there is one.
pub(crate) fn describe(
    fields: Fields<'_>,
    payload_bytes_max: usize,
    now: Timestamp,
) -> Result<Described, Problem> {
    let name = fields.label_or_null("name")?;
    let algorithm = fields.label("algorithm")?;
    let mode = fields.label("mode")?;
    let bit_length = read_bit_length(fields)?;
    let expiration_text = fields.label("expiration")?;
    let payload = fields.text("payload")?;
    let secret_type = read_secret_type(fields)?;
    let content_type = fields.label_or_null("payload_content_type")?;
    let encoding = fields.word("payload_content_encoding", &["base64"])?;
    fields.word("transport_key_needed", &["true", "false"])?;
    fields.text("transport_key_id")?;
    let expiration = expiration_text.as_ref().map_or("", |text| text.as_str());
    let expiration = read_expiration(fields, expiration, now)?;
    let payload = match payload {
        Some(_) => {
            let content_type = content_type.as_ref().map(|label| label.as_str());
            Some(read_payload(
                fields,
                content_type,
                encoding,
                payload_bytes_max,
            )?)
        }
        None => None,
    };
    Ok(Described {
        name,
        secret_type,
        algorithm,
        mode,
        bit_length,
        expiration,
        payload,
    })
}

/// Reads a content type; `true` where it names a charset.
pub(crate) fn read_content_type(
    fields: Fields<'_>,
    text: &str,
) -> Result<(ContentType, bool), Problem> {
    ContentType::parse(text).ok_or_else(|| {
        let reason = "payload_content_type is not one of ['text/plain', 'text/plain;charset=utf-8', \
                      'text/plain; charset=utf-8', 'application/octet-stream', 'application/pkcs8']";
        fields.violation("payload_content_type", reason)
    })
}

/// What a body that [`read`] took asks of transport keys.
pub(crate) enum Transport<'a> {
    Nothing,
    /// The payload is wrapped with the key of this id.
    Wrapped(&'a str),
    /// A key to wrap the payload with, which comes later.
    Needed,
}

impl<'a> Transport<'a> {
    pub(crate) fn of(body: &'a Json) -> Result<Self, Problem> {
        let fields = Schema::Secret.object(body)?;
        let needed = fields.text("transport_key_needed")? == Some("true");
        Ok(match fields.text("transport_key_id")? {
            Some(id) if fields.get("payload").is_some() => Self::Wrapped(id),
            _ if needed && fields.get("payload").is_none() => Self::Needed,
            _ => Self::Nothing,
        })
    }
}

fn read_bit_length(fields: Fields<'_>) -> Result<Option<BitLength>, Problem> {
    let Some(bits) = fields.integer("bit_length")? else {
        return Ok(None);
    };
    BitLength::new(bits).map(Some).map_err(|_source| {
        let reason = if bits < BitLength::MIN {
            format!("{bits} is less than the minimum of {}", BitLength::MIN)
        } else {
            format!("{bits} is greater than the maximum of {}", BitLength::MAX)
        };
        fields.violation("bit_length", reason)
    })
}

fn read_secret_type(fields: Fields<'_>) -> Result<SecretType, Problem> {
    let names = SecretType::ALL.map(SecretType::as_str);
    let word = fields.word("secret_type", &names)?;
    Ok(word.and_then(|word| word.parse().ok()).unwrap_or_default())
}

fn read_expiration(
    fields: Fields<'_>,
    text: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let violation = |reason: &str| fields.violation("expiration", reason);
    let at = Timestamp::parse_iso8601(text)
        .map_err(|_source| violation("Invalid date for 'expiration'"))?;
    if at <= now {
        Err(violation("'expiration' is before current time"))
    } else {
        Ok(Some(at))
    }
}

fn read_payload(
    fields: Fields<'_>,
    content_type: Option<&str>,
    encoding: Option<&str>,
    bytes_max: usize,
) -> Result<NewPayload, Problem> {
    let content_type = content_type.ok_or_else(|| {
        let reason = "If 'payload' is supplied, 'payload_content_type' must also be supplied.";
        fields.violation("payload_content_type", reason)
    })?;
    let (content_type, _) = read_content_type(fields, content_type)?;
    require_encoding(fields, content_type, encoding)?;
    let Some(Json::Text(text)) = fields.get("payload") else {
        return Err(fields.violation("payload", "value is not of type 'string'"));
    };
    if text.as_str().len() > bytes_max {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "Provided information too large to process",
        ));
    }
    if text.as_str().is_empty() {
        return Err(fields.violation("payload", "If 'payload' specified, must be non empty"));
    }
    let bytes: SecretBytes = if content_type == ContentType::Text {
        text.to_secret_bytes()
    } else {
        decode_lenient(text.as_str().as_bytes()).map_err(|_source| {
            fields.violation("payload", "Invalid payload for payload_content_encoding")
        })?
    };
    Ok(NewPayload {
        bytes,
        content_type,
    })
}

fn require_encoding(
    fields: Fields<'_>,
    content_type: ContentType,
    encoding: Option<&str>,
) -> Result<(), Problem> {
    let reason = match (content_type, encoding) {
        (ContentType::Text | ContentType::TextWithCharset, None)
        | (ContentType::OctetStream | ContentType::Pkcs8, Some(_)) => {
            return Ok(());
        }
        (ContentType::Text | ContentType::TextWithCharset, Some(_)) => {
            "payload_content_encoding is not one of None"
        }
        (ContentType::OctetStream | ContentType::Pkcs8, None) => {
            "payload_content_encoding is not one of ['base64', 'binary']"
        }
    };
    Err(fields.violation("payload_content_encoding", reason))
}
