//! What handlers of secrets and of containers share: reading the id in the path,
//! and refusing in Barbican's order. An unknown entity comes before everything
//! else, also before the method is looked at.

use bytes::Bytes;
use donjon_app::{Action, Entity};
use donjon_domain::{ContainerId, SecretId};
use http::{Response, StatusCode};
use serde::Serialize;

use crate::{
    containers::ContainerJson,
    json::Json,
    operation::Operation,
    problem::Problem,
    request::{During as _, Request, json},
    schema::Schema,
    secrets::SecretJson,
};

/// The id of a secret or of a container, with the words that the API has for it.
pub(crate) trait Kind: Entity {
    /// The operations on its ACL and its consumers.
    const OPERATIONS: Operations;

    /// A consumer as it is shown.
    type ConsumerJson<'a>: Serialize;

    /// Refuses ids that cannot be one of this kind.
    fn parse_id(text: &str) -> Result<Self, Problem>;

    /// Its address.
    fn reference(self, request: &Request<'_>) -> String;

    /// Reads a consumer from a body.
    fn read_consumer(request: &Request<'_>, body: &Json) -> Result<Self::Consumer, Problem>;

    fn show_consumer(consumer: &Self::Consumer) -> Self::ConsumerJson<'_>;

    /// The entity with its consumers, as a change of these answers.
    fn answer(request: &Request<'_>, view: &Self::View) -> Result<Response<Bytes>, Problem>;
}

/// Names of what entities have in common, for error texts.
pub(crate) struct Operations {
    pub(crate) acl_retrieval: Operation,
    pub(crate) acl_update: Operation,
    pub(crate) acl_deletion: Operation,
    pub(crate) consumers_retrieval: Operation,
    pub(crate) consumer_retrieval: Operation,
    pub(crate) consumer_creation: Operation,
    pub(crate) consumer_deletion: Operation,
}

/// Reads the id in a path. In the oldest form what is not the tenant's is not
/// there.
pub(crate) async fn parse<K: Kind>(request: &Request<'_>, text: &str) -> Result<K, Problem> {
    let id = K::parse_id(text)?;
    if request.is_tenant_form {
        let owned = request.app.entities.owned_by(&request.actor.project, id);
        owned.await.during(Operation::Request)?;
    }
    Ok(id)
}

/// Reads the id in a path and checks that it is there.
pub(crate) async fn find<K: Kind>(request: &Request<'_>, text: &str) -> Result<K, Problem> {
    let id = parse(request, text).await?;
    let exists = request.app.entities.exists(id).await;
    exists.during(Operation::Request)?;
    Ok(id)
}

/// Why a request is refused: because there is no such entity, or `otherwise`.
pub(crate) async fn refused<K: Kind>(request: &Request<'_>, id: K, otherwise: Problem) -> Problem {
    let exists = request.app.entities.exists(id).await;
    exists.during(Operation::Request).err().unwrap_or(otherwise)
}

/// Reads a JSON body, but first asks whether the caller may do what it is for.
pub(crate) async fn authorized_json<K: Kind>(
    request: &mut Request<'_>,
    id: K,
    action: Action,
    operation: Operation,
) -> Result<Json, Problem> {
    let entities = &request.app.entities;
    let authorized = entities.authorize(&request.actor, action, id).await;
    authorized.during(operation)?;
    request.require_json_type()?;
    request.read_json().await
}

/// Refuses media types that nobody knows, but an unknown entity first.
pub(crate) async fn require_known_type<K: Kind>(
    request: &Request<'_>,
    id: K,
) -> Result<(), Problem> {
    if request.accept().takes_any_known() {
        return Ok(());
    }
    Err(refused(request, id, Problem::not_acceptable()).await)
}

/// Refuses what takes no JSON, but an unknown entity first.
pub(crate) async fn require_json_accepted<K: Kind>(
    request: &Request<'_>,
    id: K,
) -> Result<(), Problem> {
    if request.accept().takes_json() {
        return Ok(());
    }
    Err(refused(request, id, Problem::not_acceptable()).await)
}

// === the two kinds ===

impl Kind for SecretId {
    const OPERATIONS: Operations = Operations {
        acl_retrieval: Operation::AclRetrieval,
        acl_update: Operation::AclUpdate,
        acl_deletion: Operation::AclDeletion,
        consumers_retrieval: Operation::ConsumersRetrieval,
        consumer_retrieval: Operation::ConsumerRetrieval,
        consumer_creation: Operation::ConsumerCreation,
        consumer_deletion: Operation::ConsumerDeletion,
    };

    type ConsumerJson<'a> = crate::secrets::ConsumerJson<'a>;

    fn parse_id(text: &str) -> Result<Self, Problem> {
        Self::parse(text).map_err(|_source| invalid_id("Not Found. Provided secret id is invalid."))
    }

    fn reference(self, request: &Request<'_>) -> String {
        request.secret_ref(self)
    }

    fn read_consumer(_request: &Request<'_>, body: &Json) -> Result<Self::Consumer, Problem> {
        let fields = Schema::SecretConsumer.object(body)?;
        let service = fields.checked_label("service", fields.required_non_empty("service")?)?;
        let resource_type =
            fields.checked_label("resource_type", fields.required_non_empty("resource_type")?)?;
        let resource_id = fields.required_non_empty("resource_id")?;
        fields.at_most("resource_id", resource_id, RESOURCE_ID_CHARS_MAX)?;
        Ok(Self::Consumer {
            service,
            resource_type,
            resource_id: resource_id.to_owned(),
        })
    }

    fn show_consumer(consumer: &Self::Consumer) -> Self::ConsumerJson<'_> {
        Self::ConsumerJson::of(consumer)
    }

    fn answer(request: &Request<'_>, view: &Self::View) -> Result<Response<Bytes>, Problem> {
        json(StatusCode::OK, &SecretJson::with_consumers(request, view))
    }
}

impl Kind for ContainerId {
    const OPERATIONS: Operations = Operations {
        acl_retrieval: Operation::ContainerAclRetrieval,
        acl_update: Operation::ContainerAclUpdate,
        acl_deletion: Operation::ContainerAclDeletion,
        consumers_retrieval: Operation::ContainerConsumersRetrieval,
        consumer_retrieval: Operation::ContainerConsumerRetrieval,
        consumer_creation: Operation::ContainerConsumerCreation,
        consumer_deletion: Operation::ContainerConsumerDeletion,
    };

    type ConsumerJson<'a> = crate::containers::ConsumerJson<'a>;

    fn parse_id(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
            .map_err(|_source| invalid_id("Not Found. Provided container id is invalid."))
    }

    fn reference(self, request: &Request<'_>) -> String {
        request.container_ref(self)
    }

    fn read_consumer(request: &Request<'_>, body: &Json) -> Result<Self::Consumer, Problem> {
        let fields = Schema::Consumer.object(body)?;
        // The documents of the oldest form spell it in small letters.
        let url = match fields.get("url") {
            Some(_) if request.is_tenant_form && fields.get("URL").is_none() => "url",
            _ => "URL",
        };
        fields.require_unnamed("name")?;
        fields.require_unnamed(url)?;
        let name = fields.required_non_empty("name")?;
        fields.at_most("name", name, CONSUMER_NAME_CHARS_MAX)?;
        Ok(Self::Consumer {
            name: fields.checked_label("name", name)?,
            url: fields.checked_label(url, fields.required_non_empty(url)?)?,
        })
    }

    fn show_consumer(consumer: &Self::Consumer) -> Self::ConsumerJson<'_> {
        Self::ConsumerJson::of(consumer)
    }

    fn answer(request: &Request<'_>, view: &Self::View) -> Result<Response<Bytes>, Problem> {
        json(StatusCode::OK, &ContainerJson::of(request, view))
    }
}

fn invalid_id(text: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, text)
}

/// Barbican sets no limit of its own; its column has 36, and databases other than
/// SQLite fail beyond.
const RESOURCE_ID_CHARS_MAX: usize = 512;
const CONSUMER_NAME_CHARS_MAX: usize = 36;
