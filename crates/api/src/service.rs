//! The way of a request: route, identity, version, handler, headers that
//! every answer has.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use donjon_app::App;
use donjon_domain::{
    Actor, ContainerId, SecretId,
    ports::{AuthErrorKind, Authenticator, Clock, Credential, Entropy, Health},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_LENGTH, EXPECT, VARY, WWW_AUTHENTICATE},
    request::Parts,
};
use http_body::Body as _;

use crate::{
    acls,
    base_url::BaseUrls,
    body::{self, RequestBody},
    consumers, containers,
    cors::CorsConfig,
    entity, health, media,
    microversion::{self, Microversion},
    orders,
    paging::PageLimits,
    problem::{Problem, Refusal, RefusedBy, refusal},
    query::{Query, decode_percent},
    quotas,
    request::{Peer, Request, empty},
    route::{Form, Resource, Route},
    secret_stores, secrets, transport_keys, user_metadata, versions, webob,
};

/// Bytes of an unread body that are dropped to keep a connection, at least.
const DISCARD_BYTES_MAX: usize = 256 * 1024;

/// What the operator decides about the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// Addresses under which clients reach the server, such as
    /// `https://kms.example.org`. Without any, references are built from each
    /// request.
    pub host_href: Vec<String>,
    /// Where clients get tokens, told with each 401; `None` is the server itself.
    pub www_authenticate_uri: Option<String>,
    /// Sizes.
    pub limits: Limits,
    /// Which pages of other servers may read answers.
    pub cors: CorsConfig,
}

/// Sizes that requests may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a payload.
    pub secret_bytes: usize,
    /// Bytes of a payload in the oldest form.
    pub tenant_secret_bytes: usize,
    /// Bytes of a JSON body.
    pub request_bytes: usize,
    /// Items of a list, if the request does not say.
    pub page_default: u32,
    /// Items of a list, at the most.
    pub page_max: u32,
}

/// What the API stands on.
#[derive(Clone)]
pub struct ApiParts {
    /// The use cases.
    pub app: Arc<App>,
    /// Tells who is asking.
    pub authenticator: Arc<dyn Authenticator>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws request ids.
    pub entropy: Arc<dyn Entropy>,
    /// Tells how storage is.
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
}

/// What the access log may know of a request. Is among the extensions of each
/// answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    /// The request id of the answer; `None` on answers that have none.
    pub request_id: Option<String>,
    /// Who asked, where that was found out.
    pub actor: Option<Arc<Actor>>,
    /// The rule that refused the request, if one did.
    pub refused_by: Option<RefusedBy>,
}

/// The API.
pub struct Api {
    parts: ApiParts,
    limits: Limits,
    base_urls: BaseUrls,
    www_authenticate_uri: Option<String>,
    cors: CorsConfig,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");
const API_VERSION: HeaderName = HeaderName::from_static(microversion::HEADER);

impl Api {
    /// Puts the API on top of use cases.
    #[must_use]
    pub fn new(config: ApiConfig, parts: ApiParts) -> Self {
        Self {
            parts,
            limits: config.limits,
            base_urls: BaseUrls::new(&config.host_href),
            www_authenticate_uri: config.www_authenticate_uri,
            cors: config.cors,
        }
    }

    /// Answers a request. The body is read as far as needed, and a little that
    /// is left is dropped, because behind a body that is not read to its end
    /// the transport has to close the connection.
    pub async fn handle(
        &self,
        head: &Parts,
        mut body: RequestBody<'_>,
        peer: Peer,
    ) -> Response<Bytes> {
        let mut response = self.answer(head, body.as_mut(), peer).await;
        self.cors.decorate(head, &mut response);
        // Whoever waits for `100 Continue` need not send a body that nobody wants.
        if !body.is_end_stream() && !head.headers.contains_key(EXPECT) {
            body::discard(body, self.limits.request_bytes.max(DISCARD_BYTES_MAX)).await;
        }
        response
    }

    async fn answer(&self, head: &Parts, body: RequestBody<'_>, peer: Peer) -> Response<Bytes> {
        let route = Route::of(head.uri.path());
        if route == Route::Health {
            return recorded(health::answer(head, (self.parts.health)()), None, None);
        }
        if head.method == Method::OPTIONS {
            let mut response = empty(StatusCode::OK);
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            return recorded(response, None, None);
        }
        let base = self.base_urls.of(&head.headers, peer);
        let mut actor = None;
        let response = match route {
            Route::V1(form, resource) => {
                self.answer_v1(head, body, base, form, resource, &mut actor)
                    .await
            }
            Route::Versions | Route::Health => versioned(&head.headers, |version| {
                versions::list(head, &base, version)
            }),
            Route::Nothing { file } => versioned(&head.headers, |_| versions::nothing(head, file)),
        };
        self.with_request_id(response, actor)
    }

    /// Answers in place of [`Self::handle`] what could not be handed to it.
    #[must_use]
    pub fn refuse(&self, why: Refusal) -> Response<Bytes> {
        self.with_request_id(refusal(why).into_response(), None)
    }

    async fn answer_v1(
        &self,
        head: &Parts,
        body: RequestBody<'_>,
        base: String,
        form: Form<'_>,
        resource: Resource<'_>,
        known: &mut Option<Arc<Actor>>,
    ) -> Response<Bytes> {
        let tenant = match &form {
            Form::Today => None,
            Form::Tenant(tenant) => Some(tenant.as_ref()),
        };
        let path = client_path(&base, head.uri.path());
        let credential = match credential(head, tenant, &path) {
            Ok(credential) => credential,
            Err(BadIdentity(why)) => {
                return webob::error(&head.headers, StatusCode::BAD_REQUEST, why);
            }
        };
        let actor = match self.parts.authenticator.authenticate(credential).await {
            Ok(actor) => Arc::new(actor),
            Err(error) => {
                let uri = self.www_authenticate_uri.as_deref().unwrap_or(&base);
                return unauthenticated(&head.headers, error.kind(), uri);
            }
        };
        *known = Some(Arc::clone(&actor));
        let microversion = match Microversion::negotiate(&head.headers) {
            Ok(microversion) => microversion,
            Err(bad) => return webob::error(&head.headers, bad.status, &bad.detail),
        };
        if tenant.is_some_and(|tenant| tenant != actor.project.as_str()) {
            let problem = match resource {
                Resource::Secret(_) => Problem::new(StatusCode::NOT_FOUND, "Secret not found."),
                Resource::Container(_) | Resource::ContainerConsumers(_) => {
                    Problem::new(StatusCode::NOT_FOUND, "Secrets container not found.")
                }
                Resource::Order(_) => Problem::new(StatusCode::NOT_FOUND, "Order not found."),
                _ => Problem::not_found(),
            };
            return with_version(problem.into_response(), microversion);
        }
        let root = match tenant {
            None => format!("{base}/v1"),
            Some(tenant) => format!("{base}/v1/{}", path_segment(tenant)),
        };
        let request = Request {
            app: &self.parts.app,
            limits: &self.limits,
            now: self.parts.clock.now(),
            actor,
            microversion,
            headers: &head.headers,
            query: Query::parse(head.uri.query().unwrap_or_default()),
            body,
            base_urls: &self.base_urls,
            base,
            root,
            is_tenant_form: tenant.is_some(),
        };
        let answer = dispatch(request, &head.method, resource).await;
        with_version(answer.unwrap_or_else(Problem::into_response), microversion)
    }

    fn with_request_id(
        &self,
        mut response: Response<Bytes>,
        actor: Option<Arc<Actor>>,
    ) -> Response<Bytes> {
        let id = format!("req-{}", self.parts.entropy.uuid_v4().as_hyphenated());
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        recorded(response, Some(id), actor)
    }
}

async fn dispatch(
    request: Request<'_>,
    method: &Method,
    resource: Resource<'_>,
) -> Result<Response<Bytes>, Problem> {
    match resource {
        Resource::Version => versions::document(&request, method, &request.base),
        Resource::Secrets => secrets::on_collection(request, method).await,
        Resource::Secret(id) => secrets::on_secret(request, method, &id).await,
        Resource::Payload(id) => secrets::on_payload(request, method, &id).await,
        Resource::Metadata(id) => user_metadata::on_collection(request, method, &id).await,
        Resource::Metadatum(id, key) => user_metadata::on_key(request, method, &id, &key).await,
        Resource::Acl(id) => acls::on_acl::<SecretId>(request, method, &id).await,
        Resource::Consumers(id) => consumers::on_collection::<SecretId>(request, method, &id).await,
        Resource::Consumer(id, consumer) => {
            consumers::on_consumer::<SecretId>(request, method, &id, &consumer).await
        }
        Resource::Quotas => quotas::on_quotas(request, method).await,
        Resource::ProjectQuotas => quotas::on_collection(request, method).await,
        Resource::ProjectQuota(project) => quotas::on_project(request, method, &project).await,
        Resource::SecretStores => secret_stores::on_collection(&request, method),
        Resource::GlobalDefaultStore => secret_stores::on_global_default(&request),
        Resource::PreferredStore => secret_stores::on_preferred(request).await,
        Resource::SecretStore(id) => secret_stores::on_store(&request, method, &id),
        Resource::StorePreference(id) => secret_stores::on_preference(request, method, &id).await,
        Resource::BelowSecretStore(id) => Err(secret_stores::below_store(&request, &id)),
        Resource::TransportKeys => transport_keys::on_collection(request, method).await,
        Resource::TransportKey(id) => transport_keys::on_key(request, method, &id).await,
        Resource::BelowSecret(id) => {
            entity::find::<SecretId>(&request, &id).await?;
            Err(Problem::not_found())
        }
        Resource::Containers => containers::on_collection(request, method).await,
        Resource::Container(id) => containers::on_container(request, method, &id).await,
        Resource::ContainerSecrets(id) => containers::on_secrets(request, method, &id).await,
        Resource::ContainerAcl(id) => acls::on_acl::<ContainerId>(request, method, &id).await,
        Resource::ContainerConsumers(id) => {
            consumers::on_collection::<ContainerId>(request, method, &id).await
        }
        Resource::ContainerConsumer(id, consumer) => {
            consumers::on_consumer::<ContainerId>(request, method, &id, &consumer).await
        }
        Resource::BelowContainer(id) => {
            entity::find::<ContainerId>(&request, &id).await?;
            Err(Problem::not_found())
        }
        Resource::Orders => orders::on_collection(request, method).await,
        Resource::Order(id) => orders::on_order(request, method, &id).await,
        Resource::BelowOrder(id) => orders::below_order(&request, &id).await,
        // Where the path names nothing, other methods than GET get null.
        Resource::Nothing { reserved } if reserved || *method != Method::GET => {
            Err(Problem::undescribed(StatusCode::NOT_FOUND))
        }
        Resource::Nothing { .. } => Err(Problem::not_found()),
    }
}

/// Why the headers do not say who is asking.
#[derive(Debug, PartialEq)]
struct BadIdentity(&'static str);

/// Collects what a request says about its sender; of the names of a header the
/// newest that is there counts. One that cannot be read is refused: to take it
/// as missing would give the caller what callers without it get. So is one that
/// is there twice, of which a proxy may have meant the other.
fn credential<'a>(
    head: &'a Parts,
    tenant: Option<&'a str>,
    path: &'a str,
) -> Result<Credential<'a>, BadIdentity> {
    let headers = &head.headers;
    let first = |names: &[&str]| {
        let Some(name) = names.iter().find(|name| headers.contains_key(**name)) else {
            return Ok(None);
        };
        let mut values = headers.get_all(*name).iter();
        match (values.next().map(HeaderValue::to_str), values.next()) {
            (None, _) => Ok(None),
            (Some(Ok(text)), None) => Ok(Some(text)),
            (Some(Err(_)), _) => Err(BadIdentity(
                "A header that names the caller is not printable ASCII.",
            )),
            (Some(Ok(_)), Some(_)) => Err(BadIdentity(
                "A header that names the caller is there more than once.",
            )),
        }
    };
    Ok(Credential {
        token: first(&["x-auth-token"])?,
        service_token: first(&["x-service-token"])?,
        project: first(&["x-project-id", "x-tenant-id", "x-tenant"])?,
        user: first(&["x-user-id", "x-user"])?,
        roles: first(&["x-roles", "x-role"])?,
        domain: first(&["x-domain-id"])?,
        tenant,
        method: head.method.as_str(),
        path,
    })
}

/// The path of a request as its client sees it: behind a proxy that cuts off
/// the beginning, that stands in the address under which the server is reached.
fn client_path<'a>(base: &str, path: &'a str) -> Cow<'a, str> {
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    let prefix = host.find('/').and_then(|at| host.get(at..));
    let path = decode_percent(path);
    match prefix {
        None => path,
        Some(prefix) => Cow::Owned(format!("{prefix}{path}")),
    }
}

/// The answer to a request without a caller. Clients of three kinds read it,
/// so it has the keys of all of them.
fn unauthenticated(headers: &HeaderMap, kind: AuthErrorKind, uri: &str) -> Response<Bytes> {
    const BODY: &[u8] = br#"{"code":401,"title":"Unauthorized","description":"The request you have made requires authentication.","error":{"code":401,"title":"Unauthorized","message":"The request you have made requires authentication."}}"#;
    match kind {
        AuthErrorKind::MissingProject => {
            webob::error(headers, StatusCode::BAD_REQUEST, "Missing X-Project-Id")
        }
        AuthErrorKind::InvalidName => webob::error(
            headers,
            StatusCode::BAD_REQUEST,
            "The name of a project, user or role has more than 255 characters, or a control character.",
        ),
        AuthErrorKind::Unavailable => {
            Problem::unavailable("The credential cannot be checked now. Please try again.")
                .into_response()
        }
        _ => {
            let mut response = Response::new(Bytes::from_static(BODY));
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            let headers = response.headers_mut();
            headers.insert(
                http::header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            if let Ok(value) = HeaderValue::from_str(&format!("Keystone uri=\"{uri}\"")) {
                headers.insert(WWW_AUTHENTICATE, value);
            }
            response
        }
    }
}

/// Answers what does not need an identity.
fn versioned(
    headers: &HeaderMap,
    answer: impl FnOnce(Microversion) -> Response<Bytes>,
) -> Response<Bytes> {
    match Microversion::negotiate(headers) {
        Ok(microversion) => with_version(answer(microversion), microversion),
        Err(bad) => webob::error(headers, bad.status, &bad.detail),
    }
}

fn with_version(mut response: Response<Bytes>, microversion: Microversion) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert(
        API_VERSION,
        HeaderValue::from_static(microversion.header_value()),
    );
    headers.insert(VARY, HeaderValue::from_static(microversion::HEADER));
    response
}

fn recorded(
    mut response: Response<Bytes>,
    request_id: Option<String>,
    actor: Option<Arc<Actor>>,
) -> Response<Bytes> {
    let extensions = response.extensions_mut();
    let refused_by = extensions.remove::<RefusedBy>();
    extensions.insert(AccessRecord {
        request_id,
        actor,
        refused_by,
    });
    response
}

/// A tenant as it stands in a reference.
fn path_segment(tenant: &str) -> String {
    tenant.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' | b':' | b'@' => {
                out.push(byte.into())
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

/// Refuses a method that a resource does not have. In Barbican the answer is a
/// page in HTML, so a client that takes no HTML is told so instead.
pub(crate) fn wrong_method(request: &Request<'_>, allow: &'static str) -> Problem {
    if media::Accept::of(request.headers).takes_html() {
        Problem::method_not_allowed(Some(allow))
    } else {
        Problem::not_acceptable()
    }
}

impl Limits {
    pub(crate) fn pages(&self) -> PageLimits {
        PageLimits {
            default: self.page_default,
            max: self.page_max,
        }
    }
}

impl Default for Limits {
    /// Barbican's.
    fn default() -> Self {
        Self {
            secret_bytes: 20_000,
            tenant_secret_bytes: 10_000,
            request_bytes: 25_000,
            page_default: 10,
            page_max: 100,
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("limits", &self.limits)
            .field("base_urls", &self.base_urls)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ApiParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiParts").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Access rules of application credentials are about these paths.
    #[test]
    fn the_path_is_that_of_the_client() {
        for (base, path, expected) in [
            ("http://h", "/v1/secrets", "/v1/secrets"),
            ("https://h:9311", "/v1/secrets/a%2Fb", "/v1/secrets/a/b"),
            (
                "https://h/key-manager",
                "/v1/%73ecrets",
                "/key-manager/v1/secrets",
            ),
        ] {
            assert_eq!(client_path(base, path), expected);
        }
    }

    #[test]
    fn both_tokens_and_the_request_are_handed_on() {
        let request = http::Request::get("/v1/secrets?x=y")
            .header("X-Auth-Token", "t")
            .header("X-Service-Token", "s");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let found = credential(&head, None, "/v1/secrets").ok().unwrap();
        assert_eq!((found.token, found.service_token), (Some("t"), Some("s")));
        assert_eq!((found.method, found.path), ("GET", "/v1/secrets"));
        let shown = format!("{found:?}");
        assert!(
            !shown.contains("\"t\"") && !shown.contains("\"s\""),
            "{shown}"
        );
    }

    #[test]
    fn identity_that_stands_there_twice_is_refused() {
        let found = |names: [&str; 2]| {
            let request = http::Request::get("/v1/secrets");
            let request = request.header(names[0], "a").header(names[1], "b");
            let (head, ()) = request.body(()).unwrap().into_parts();
            let credential = credential(&head, None, "/v1/secrets");
            credential.map(|found| found.project.map(str::to_owned))
        };
        let twice = BadIdentity("A header that names the caller is there more than once.");
        for name in [
            "X-Auth-Token",
            "X-Service-Token",
            "X-Project-Id",
            "X-Tenant",
            "X-User-Id",
            "X-Roles",
            "X-Role",
            "X-Domain-Id",
        ] {
            assert_eq!(found([name, name]).as_ref(), Err(&twice), "{name}");
        }
        let newest = found(["X-Tenant-Id", "X-Project-Id"]);
        assert_eq!(newest, Ok(Some("b".to_owned())));
    }

    #[test]
    fn a_401_names_who_gives_tokens() {
        let kind = AuthErrorKind::Unauthenticated;
        let response = unauthenticated(&HeaderMap::new(), kind, "https://k/v3");
        let header = response.headers().get(WWW_AUTHENTICATE).unwrap();
        assert_eq!(header, "Keystone uri=\"https://k/v3\"");
    }
}
