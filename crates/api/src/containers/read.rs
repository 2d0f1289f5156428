//! From bodies to containers and entries, checked in Barbican's order.

use donjon_app::{EntryRequest, NewContainer};
use donjon_domain::{ContainerType, InvalidEntries, SecretId};

use crate::{
    json::Json,
    problem::Problem,
    request::Request,
    schema::{Fields, Schema},
};

const SCHEMA: Schema = Schema::Container;
const REFS: &str = "secret_refs";

/// Types that a client may ask for.
const TYPES: [ContainerType; 3] = [
    ContainerType::Generic,
    ContainerType::Rsa,
    ContainerType::Certificate,
];

/// Reads the body of `POST /v1/containers`.
pub(crate) fn new_container(request: &Request<'_>, body: &Json) -> Result<NewContainer, Problem> {
    let fields = SCHEMA.object(body)?;
    fields.require_unnamed("type")?;
    let name = fields.label_or_null("name")?;
    let container_type = read_type(fields)?;
    let items = fields.array(REFS)?.unwrap_or_default();
    let entries = items
        .iter()
        .map(|item| read_reference(fields, item))
        .collect::<Result<Vec<_>, Problem>>()?;
    check(request, container_type, &entries)?;
    Ok(NewContainer {
        name,
        container_type,
        entries: entries.into_iter().map(|given| given.entry).collect(),
    })
}

/// Reads the body of `POST` and `DELETE .../secrets`. The address in the
/// reference is not looked at, only its last part is.
pub(crate) fn entry(body: &Json) -> Result<EntryRequest, Problem> {
    let fields = Schema::ContainerSecret.object(body)?;
    fields.require_unnamed("secret_ref")?;
    let name = fields.label("name")?;
    let reference = fields.required_non_empty("secret_ref")?;
    let id = reference.rsplit_once('/').map(|(_, id)| id);
    Ok(EntryRequest {
        name,
        reference: reference.to_owned(),
        secret: id.and_then(|id| SecretId::parse(id).ok()),
    })
}

/// An entry, and whether its name is absent, which is not the same as null.
struct Given {
    entry: EntryRequest,
    has_name: bool,
}

impl Given {
    /// The name as it counts in comparisons.
    fn name(&self) -> Option<&str> {
        let name = self.entry.name.as_ref().map(|name| name.as_str());
        if self.has_name { name } else { Some("") }
    }
}

fn read_type(fields: Fields<'_>) -> Result<ContainerType, Problem> {
    let words = TYPES.map(ContainerType::as_str);
    let word = fields.word("type", &words)?.unwrap_or_default();
    word.parse()
        .map_err(|_source| SCHEMA.violation(Some("type"), "unknown type"))
}

fn read_reference<'a>(fields: Fields<'a>, item: &'a Json) -> Result<Given, Problem> {
    let item = fields.as_nested(REFS, item)?;
    item.require_unnamed("secret_ref")?;
    let name = item.label_or_null("name")?;
    let reference = item.required_non_empty("secret_ref")?;
    Ok(Given {
        entry: EntryRequest {
            name,
            reference: reference.to_owned(),
            secret: SecretId::parse(id_text(reference)).ok(),
        },
        has_name: item.get("name").is_some(),
    })
}

/// The last part of a reference; one slash may follow it.
fn id_text(reference: &str) -> &str {
    let reference = reference.strip_suffix('/').unwrap_or(reference);
    reference
        .rsplit_once('/')
        .map_or(reference, |(_, last)| last)
}

fn check(
    request: &Request<'_>,
    container_type: ContainerType,
    entries: &[Given],
) -> Result<(), Problem> {
    let names: Vec<_> = entries.iter().map(Given::name).collect();
    let ids: Vec<_> = entries
        .iter()
        .map(|given| id_text(&given.entry.reference))
        .collect();
    let checked = container_type.check(&names, &ids);
    // References are looked at after duplicates and before names.
    let duplicates = matches!(
        checked,
        Err(InvalidEntries::DuplicateName | InvalidEntries::DuplicateSecret)
    );
    let own = |given: &Given| request.is_own_reference(&given.entry.reference);
    if !duplicates && !entries.iter().all(own) {
        return Err(Problem::bad_request(
            "Provided field value is not supported",
        ));
    }
    checked.map_err(|invalid| SCHEMA.violation(Some(REFS), reason(invalid)))
}

/// Barbican's words, blanks included.
const fn reason(invalid: InvalidEntries) -> &'static str {
    match invalid {
        InvalidEntries::DuplicateName => "Duplicate reference names are not allowed",
        InvalidEntries::DuplicateSecret => "Duplicate secret ids are not allowed",
        InvalidEntries::NameNotAllowed(ContainerType::Certificate) => {
            "only 'private_key', 'certificate' , 'private_key_passphrase',  or 'intermediates' \
             reference names are allowed for Certificate type"
        }
        InvalidEntries::NameNotAllowed(_) => {
            "only 'private_key', 'public_key' and 'private_key_passphrase' \
             reference names are allowed for RSA type"
        }
        InvalidEntries::NameMissing(ContainerType::Certificate) => {
            "The minimum required reference name is 'certificate' for Certificate type"
        }
        InvalidEntries::NameMissing(_) => {
            "The minimum required reference names are 'public_key' and'private_key' for RSA type"
        }
    }
}
