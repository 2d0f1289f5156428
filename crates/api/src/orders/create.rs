//! From the body of `POST /v1/orders` to a new order, checked in Barbican's
//! order. The oldest form is read as an order for a key.

use donjon_app::NewOrder;
use donjon_domain::{BitLength, ContentType, KeySpec, Label, OrderType, SecretBytes};

use crate::{
    json::Json,
    orders::meta,
    problem::Problem,
    request::Request,
    schema::{Fields, Schema},
    secrets::create::{Described, describe, read_content_type},
};

/// Reads the body.
pub(crate) fn read(request: &Request<'_>, body: &Json) -> Result<NewOrder, Problem> {
    let order = Schema::Order.object(body)?;
    if request.is_tenant_form {
        order.nested("secret")?;
        return read_meta(request, order, order.require("secret")?, OrderType::Key);
    }
    order.require("type")?;
    let name = order.word(
        "type",
        &[OrderType::Key, OrderType::Asymmetric].map(OrderType::as_str),
    )?;
    let order_type = match name {
        Some("asymmetric") => OrderType::Asymmetric,
        _ => OrderType::Key,
    };
    order.nested("meta")?;
    read_meta(request, order, order.require("meta")?, order_type)
}

fn read_meta(
    request: &Request<'_>,
    order: Fields<'_>,
    meta: &Json,
    order_type: OrderType,
) -> Result<NewOrder, Problem> {
    let fields = Schema::SecretInOrder.object(meta)?;
    let described = describe(fields, request.secret_bytes_max(), request.now)?;
    let content_type = spec_content_type(fields)?;
    let kind = match order_type {
        OrderType::Key => "key",
        OrderType::Asymmetric => "asymmetric",
    };
    if described.payload.is_some() {
        let reason = format!("'payload' not allowed for {kind} type order");
        return Err(order.violation("meta", reason));
    }
    let shown = meta::shown(fields, described.expiration);
    let spec = key_spec(order, described, content_type, order_type)?;
    require_own_creator(request, order, fields)?;
    let passphrase = read_passphrase(fields)?.filter(|_| order_type == OrderType::Asymmetric);
    Ok(NewOrder {
        order_type,
        meta: shown?,
        spec,
        passphrase,
    })
}

/// The type of payloads to come may stand alone.
fn spec_content_type(fields: Fields<'_>) -> Result<Option<ContentType>, Problem> {
    let Some(text) = fields.text_or_null("payload_content_type")? else {
        return Ok(None);
    };
    let (content_type, has_charset) = read_content_type(fields, text)?;
    Ok(Some(if has_charset {
        ContentType::TextWithCharset
    } else {
        content_type
    }))
}

fn key_spec(
    order: Fields<'_>,
    described: Described,
    content_type: Option<ContentType>,
    order_type: OrderType,
) -> Result<KeySpec, Problem> {
    let kind = match order_type {
        OrderType::Key => "key",
        OrderType::Asymmetric => "asymmetric key",
    };
    let missing = |field: &str| {
        let reason = format!("'{field}' is required field for {kind} type order");
        order.violation("meta", reason)
    };
    let algorithm = described
        .algorithm
        .filter(|algorithm| !algorithm.as_str().is_empty())
        .ok_or_else(|| missing("algorithm"))?;
    let bit_length = described.bit_length.ok_or_else(|| missing("bit_length"))?;
    if !is_length_of(&algorithm, bit_length) {
        return Err(Problem::bad_request(
            "Provided field value is not supported",
        ));
    }
    Ok(KeySpec {
        name: described.name,
        algorithm,
        bit_length,
        mode: described.mode,
        expiration: described.expiration,
        content_type,
    })
}

/// Curves have three sizes, everything else whole bytes.
fn is_length_of(algorithm: &Label, bit_length: BitLength) -> bool {
    let bits = bit_length.get();
    if algorithm.as_str().eq_ignore_ascii_case("ec") {
        matches!(bits, 256 | 384 | 521)
    } else {
        bits.is_multiple_of(8)
    }
}

/// Barbican gives the keys to whom the meta names. Here they are the caller's,
/// so another name contradicts that.
fn require_own_creator(
    request: &Request<'_>,
    order: Fields<'_>,
    fields: Fields<'_>,
) -> Result<(), Problem> {
    let own = request.actor.user.as_ref().map(|user| user.as_str());
    match fields.get("creator_id") {
        None | Some(Json::Null) => Ok(()),
        Some(Json::Text(named)) if Some(named.as_str()) == own => Ok(()),
        Some(_) => Err(order.violation("meta", "'creator_id' has to be the caller")),
    }
}

/// An empty one is none.
fn read_passphrase(fields: Fields<'_>) -> Result<Option<SecretBytes>, Problem> {
    match fields.get("passphrase") {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Text(text)) if text.as_str().is_empty() => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text.to_secret_bytes())),
        // What was sent in its place is not repeated.
        Some(_) => Err(fields.violation("passphrase", "passphrase is not of type 'string'")),
    }
}
