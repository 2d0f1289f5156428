//! What `[pkcs11]` says, and `root_key.* = "pkcs11:..."`. Names are those of
//! Barbican's `[p11_crypto_plugin]`.

use std::{ops::RangeInclusive, time::Duration};

use anyhow::{Context, Result, bail, ensure};

use super::{settings::Values, texts::path};
use crate::{
    hsm::{HsmDraft, HsmKey, HsmToken, Pin},
    root_key::PassphraseSource,
};

/// Reads the table, which may lack anything.
///
/// # Errors
/// Values that are wrong by themselves or contradict one another.
pub(super) fn draft(values: &Values<'_>) -> Result<HsmDraft> {
    let timeout_ms = values.count("pkcs11.timeout_ms", TIMEOUT_MS)?;
    Ok(HsmDraft {
        library_path: values.each("pkcs11.library_path", path)?,
        token_serial_number: values.each("pkcs11.token_serial_number", text)?,
        token_labels: values.list("pkcs11.token_labels", text)?,
        slot_id: values.number("pkcs11.slot_id"),
        pin: pin(values)?,
        mkek_label: values.each("pkcs11.mkek_label", text)?,
        hmac_label: values.each("pkcs11.hmac_label", text)?,
        hmac_key_type: values.each("pkcs11.hmac_key_type", hmac_key_type)?,
        key_wrap_mechanism: values.each("pkcs11.key_wrap_mechanism", key_wrap_mechanism)?,
        rw_session: values.flag("pkcs11.rw_session"),
        pkek_cache_limit: usize::try_from(values.count("pkcs11.pkek_cache_limit", KEKS)?)?,
        sessions: usize::try_from(values.count("pkcs11.sessions", SESSIONS)?)?,
        timeout: Duration::from_millis(timeout_ms),
    })
}

/// Reads what stands behind `pkcs11:`, attributes that count instead of those
/// of the table: `mkek_label=a;hmac_label=b`.
///
/// # Errors
/// An attribute that is unknown or there twice, or something needed is missing.
/// Never shows a PIN.
pub(super) fn key(values: &Values<'_>, attributes: &str) -> Result<HsmKey> {
    ensure!(
        cfg!(feature = "pkcs11"),
        "this build of donjon has no support for HSMs (feature pkcs11)"
    );
    let mut draft = draft(values)?;
    let mut seen = Vec::new();
    for attribute in attributes.split(';').filter(|part| !part.is_empty()) {
        let (name, value) = attribute
            .split_once('=')
            .context("has to look like pkcs11: or pkcs11:mkek_label=NAME;hmac_label=NAME")?;
        ensure!(!seen.contains(&name), "{name} is there twice");
        seen.push(name);
        let value = decode(value).with_context(|| format!("{name}: wrong %-encoding"))?;
        ensure!(!value.is_empty(), "{name}: has to be a text");
        match name {
            "library_path" => draft.library_path = Some(value.into()),
            "token_label" => draft.token_labels = vec![value],
            "token_serial_number" => draft.token_serial_number = Some(value),
            "slot_id" => draft.slot_id = Some(value.parse().context("slot_id")?),
            "login_from" => draft.pin = Some(Pin::From(PassphraseSource::parse(&value)?)),
            "mkek_label" => draft.mkek_label = Some(value),
            "hmac_label" => draft.hmac_label = Some(value),
            "hmac_key_type" => draft.hmac_key_type = Some(hmac_key_type(&value)?),
            // It may be a PIN.
            _ => bail!(
                "unknown attribute; there are library_path, token_label, token_serial_number, slot_id, login_from, \
                 mkek_label, hmac_label and hmac_key_type"
            ),
        }
    }
    complete(draft)
}

/// Reads `orders.generate_in`: the token, where keys are generated in one.
///
/// # Errors
/// An unknown place, or something needed is missing.
pub(super) fn generation(values: &Values<'_>) -> Result<Option<HsmToken>> {
    let is_hsm = values.each("orders.generate_in", |place| match place {
        "software" => Ok(false),
        "hsm" => Ok(true),
        _ => bail!("has to be software or hsm"),
    });
    if is_hsm? != Some(true) {
        return Ok(None);
    }
    ensure!(
        cfg!(feature = "pkcs11"),
        "this build of donjon has no support for HSMs (feature pkcs11)"
    );
    token(draft(values)?, "orders.generate_in = \"hsm\"").map(Some)
}

/// # Errors
/// Names what is missing, and how to find out.
fn token(draft: HsmDraft, what: &str) -> Result<HsmToken> {
    let library_path = draft.library_path.clone().with_context(|| {
        format!("{what} needs pkcs11.library_path, the HSM's PKCS#11 module; {ASK}")
    })?;
    let pin = draft.pin.clone().with_context(|| {
        format!("{what} needs pkcs11.login_from, such as file:/etc/donjon/pin; {ASK}")
    })?;
    Ok(HsmToken {
        library_path,
        pin,
        draft,
    })
}

/// # Errors
/// Names what is missing, and how to find out.
fn complete(draft: HsmDraft) -> Result<HsmKey> {
    let HsmToken {
        library_path,
        pin,
        draft,
    } = token(draft, "a root key in an HSM")?;
    let needs = |key: &str| format!("a root key in an HSM needs pkcs11.{key}; {ASK}");
    let mkek_label = draft.mkek_label.clone();
    let hmac_label = draft.hmac_label.clone();
    Ok(HsmKey {
        library_path,
        pin,
        mkek_label: mkek_label.with_context(|| needs("mkek_label"))?,
        hmac_label: hmac_label.with_context(|| needs("hmac_label"))?,
        draft,
    })
}

fn pin(values: &Values<'_>) -> Result<Option<Pin>> {
    let given = values.secret("pkcs11.login");
    let from = values.each("pkcs11.login_from", PassphraseSource::parse)?;
    match (given, from) {
        (Some(_), Some(_)) => bail!(
            "{}: pkcs11.login is set too; name one of them",
            values.place("pkcs11.login_from")
        ),
        (Some(pin), None) => Ok(Some(Pin::Given(pin))),
        (None, from) => Ok(from.map(Pin::From)),
    }
}

fn text(text: &str) -> Result<String> {
    ensure!(!text.is_empty(), "has to be a text");
    Ok(text.to_owned())
}

#[cfg(feature = "pkcs11")]
fn hmac_key_type(name: &str) -> Result<String> {
    let known: donjon_crypto_pkcs11::HmacKeyType = name.parse()?;
    Ok(known.name().to_owned())
}

#[cfg(feature = "pkcs11")]
pub(super) fn key_wrap_mechanism(name: &str) -> Result<String> {
    let known: donjon_crypto_pkcs11::WrapMechanism = name.parse()?;
    Ok(known.name().to_owned())
}

#[cfg(not(feature = "pkcs11"))]
fn hmac_key_type(name: &str) -> Result<String> {
    text(name)
}

#[cfg(not(feature = "pkcs11"))]
pub(super) fn key_wrap_mechanism(name: &str) -> Result<String> {
    text(name)
}

/// `%3B` as `;`. `None` for an escape that is none, or bytes that are no text.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

const ASK: &str = "`donjon hsm doctor` finds out what to write";
/// As the longest of Barbican's reach: one key for each project.
const KEKS: RangeInclusive<u64> = 1..=1_000_000;
/// More than most HSMs allow.
const SESSIONS: RangeInclusive<u64> = 1..=64;
/// Well before the transport gives up on an answer.
const TIMEOUT_MS: RangeInclusive<u64> = 100..=20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_or_refused() {
        assert_eq!(decode("a%3Bb%20c").as_deref(), Some("a;b c"));
        assert_eq!(decode("").as_deref(), Some(""));
        for bad in ["%", "%3", "%zz", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
