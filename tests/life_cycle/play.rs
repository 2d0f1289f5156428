//! Plays steps against a server, and holds each answer against the model.

use proptest::{prop_assert, prop_assert_eq, test_runner::TestCaseError};
use serde_json::{Map, Value, json};

use crate::{
    actions::{Accept, AclBody, Action, BadBody, Kind, NewSecret, Payload, Step, Version, Who},
    model::{Acl, FAR_SENT, Rule, Secret, consumer, name},
    support::{Caller, Response, Server, base64, id_of, path_of},
};

type Outcome = Result<(), TestCaseError>;

/// One case: two projects of its own, and all secrets that were ever made in them.
pub(crate) struct Play {
    case: u32,
    base: String,
    callers: Vec<Caller>,
    secrets: Vec<Secret>,
}

const UNKNOWN: &str = "/v1/secrets/7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";

impl Play {
    pub(crate) fn new(server: &Server, case: u32) -> Self {
        let mut play = Self {
            case,
            base: String::new(),
            callers: Vec::new(),
            secrets: Vec::new(),
        };
        play.reconnect(server);
        play
    }

    /// Goes on with a server that was started again.
    pub(crate) fn reconnect(&mut self, server: &Server) {
        self.base = server.base();
        for secret in &mut self.secrets {
            secret.moved(&self.base);
        }
        self.callers = Who::ALL
            .map(|who| {
                server
                    .nobody()
                    .with("X-Project-Id", &format!("{}-{}", who.project(), self.case))
                    .with("X-User-Id", &self.user(who))
                    .with("X-Roles", who.role())
            })
            .into();
    }

    fn user(&self, who: Who) -> String {
        format!("{}-{}", who.name(), self.case)
    }

    fn caller(&self, who: Who) -> &Caller {
        &self.callers[who as usize]
    }

    // === one step ===

    pub(crate) fn step(&mut self, step: &Step) -> Outcome {
        let who = step.who;
        let at = (!self.secrets.is_empty()).then(|| step.target.index(self.secrets.len()));
        match &step.action {
            Action::Create(new) => self.create(who, new),
            Action::CreateBadly(bad) => self.create_badly(who, *bad),
            Action::List {
                limit,
                offset,
                version,
            } => self.list(who, *limit, *offset, *version),
            Action::ListByName(number) => self.list_by_name(who, *number),
            Action::ListNewestFirst => self.list_newest_first(who),
            Action::ListShared => self.list_shared(who),
            action => self.on_secret(who, at, action),
        }
    }

    fn on_secret(&mut self, who: Who, at: Option<usize>, action: &Action) -> Outcome {
        match action {
            Action::PutPayload(payload) => self.put_payload(who, at, payload),
            Action::PutUntyped => self.put_untyped(who, at),
            Action::Show(version) => self.show(who, at, *version),
            Action::ReadPayload(accept) => self.read_payload(who, at, *accept),
            Action::ReadOldWay(accept) => self.read_old_way(who, at, *accept),
            Action::Delete { version, force } => self.delete(who, at, *version, *force),
            Action::ShowMetadata => self.show_metadata(who, at),
            Action::PutMetadata(entries) => self.put_metadata(who, at, entries),
            Action::AddMetadatum(key, value) => self.add_metadatum(who, at, key, *value),
            Action::ShowMetadatum(key) => self.show_metadatum(who, at, key),
            Action::ChangeMetadatum {
                in_path,
                in_body,
                value,
            } => self.change_metadatum(who, at, in_path, in_body, *value),
            Action::RemoveMetadatum(key) => self.remove_metadatum(who, at, key),
            Action::AddConsumer(number) => self.add_consumer(who, at, *number),
            Action::RemoveConsumer(number) => self.remove_consumer(who, at, *number),
            Action::ListConsumers { limit, offset } => {
                self.list_consumers(who, at, *limit, *offset)
            }
            Action::ShowAcl => self.show_acl(who, at),
            Action::PutAcl(body) => self.write_acl(who, at, "PUT", body),
            Action::PatchAcl(body) => self.write_acl(who, at, "PATCH", body),
            Action::DeleteAcl => self.delete_acl(who, at),
            _ => unreachable!("dealt with before"),
        }
    }

    fn path(&self, at: Option<usize>) -> String {
        at.map_or(UNKNOWN, |at| &self.secrets[at].path).to_owned()
    }

    /// What everybody gets who is stopped before the operation: the answer is checked here then, and there is no secret
    /// to go on with.
    fn admitted(
        &mut self,
        who: Who,
        at: Option<usize>,
        gate: (Rule, &str),
        answer: &Response,
    ) -> Result<Option<&mut Secret>, TestCaseError> {
        let (rule, operation) = gate;
        let secret = at.map(|at| &mut self.secrets[at]);
        let Some(secret) = secret.filter(|secret| !secret.is_deleted) else {
            refused(answer, 404, "Secret not found.")?;
            return Ok(None);
        };
        if secret.allows(rule, who) {
            Ok(Some(secret))
        } else {
            denied(answer, operation)?;
            Ok(None)
        }
    }

    // === creation ===

    fn create(&mut self, who: Who, new: &NewSecret) -> Outcome {
        let answer = self.caller(who).json("POST /v1/secrets", &creation(new));
        if who.role() != "member" {
            return denied(&answer, "Secret creation");
        }
        let body = accepted(&answer, 201)?;
        let reference = body["secret_ref"].as_str().unwrap_or_default().to_owned();
        prop_assert_eq!(&body, &json!({"secret_ref": reference}));
        prop_assert_eq!(answer.header("location"), Some(reference.clone()));
        let path = path_of(&reference).to_owned();
        prop_assert_eq!(&reference, &format!("{}{path}", self.base));
        prop_assert_eq!(&path, &format!("/v1/secrets/{}", id_of(&path)));
        let creator = (who, self.user(who));
        let secret = Secret::new(&path, &reference, (creator.0, &creator.1), new);
        self.secrets.push(secret);
        self.show(who, Some(self.secrets.len() - 1), Version::V1_2)
    }

    fn create_badly(&mut self, who: Who, bad: BadBody) -> Outcome {
        let (body, status) = match bad {
            BadBody::NoType => (json!({"payload": "x"}), 400),
            BadBody::UnknownType => (
                json!({"payload": "x", "payload_content_type": "image/png"}),
                400,
            ),
            BadBody::EmptyPayload => (
                json!({"payload": " ", "payload_content_type": "text/plain"}),
                400,
            ),
            BadBody::LargePayload => (
                json!({"payload": "x".repeat(20_001), "payload_content_type": "text/plain"}),
                413,
            ),
            BadBody::PastExpiration => (json!({"expiration": "2001-01-01T00:00:00"}), 400),
            BadBody::BitsAsText => (json!({"bit_length": "256"}), 400),
            BadBody::NotJson => (json!("a text"), 400),
        };
        let answer = self.caller(who).json("POST /v1/secrets", &body);
        if who.role() != "member" {
            return denied(&answer, "Secret creation");
        }
        prop_assert_eq!(answer.status, status, "{}", answer.text());
        Ok(())
    }

    // === payloads ===

    fn put_payload(&mut self, who: Who, at: Option<usize>, payload: &Payload) -> Outcome {
        let content_type = ("Content-Type", payload.content_type());
        let encoded = base64(&payload.bytes).into_bytes();
        let line = format!("PUT {}", self.path(at));
        let (answer, sent) = match payload.kind {
            Kind::Text | Kind::Octets => (
                self.caller(who)
                    .send(&line, &[content_type], &payload.bytes),
                payload.bytes.len(),
            ),
            Kind::Base64 => (
                self.caller(who).send(
                    &line,
                    &[content_type, ("Content-Encoding", "base64")],
                    &encoded,
                ),
                encoded.len(),
            ),
        };
        let gate = (Rule::Put, "Secret update");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        if sent == 0 {
            let text = "Secret update issue seen - No data supplied to process..";
            return refused(&answer, 400, text);
        }
        if sent > 20_000 {
            let text = "Secret update issue seen - Provided information too large to process.";
            return refused(&answer, 413, text);
        }
        if secret.payload.is_some() {
            return refused(&answer, 409, "Secret already has data, cannot modify it.");
        }
        secret.payload = Some(payload.clone());
        secret.touch();
        done(&answer)
    }

    fn put_untyped(&mut self, who: Who, at: Option<usize>) -> Outcome {
        let answer = self
            .caller(who)
            .send(&format!("PUT {}", self.path(at)), &[], b"x");
        let gate = (Rule::Put, "Secret update");
        if self.admitted(who, at, gate, &answer)?.is_some() {
            let text = "Unexpected content type. Expected content types are: ['application/octet-stream', 'text/plain']";
            refused(&answer, 415, text)?;
        }
        Ok(())
    }

    fn read_payload(&mut self, who: Who, at: Option<usize>, accept: Accept) -> Outcome {
        let line = format!("GET {}/payload", self.path(at));
        let answer = self.accepting(who, &line, accept);
        self.check_payload(who, at, accept, "Secret payload retrieval", &answer)
    }

    fn read_old_way(&mut self, who: Who, at: Option<usize>, accept: Accept) -> Outcome {
        let line = format!("GET {}", self.path(at));
        let answer = self.accepting(who, &line, accept);
        match accept {
            Accept::None | Accept::Any => self.check_shown(who, at, Version::V1_0, &answer),
            _ => self.check_payload(who, at, accept, "Secret retrieval", &answer),
        }
    }

    fn accepting(&self, who: Who, line: &str, accept: Accept) -> Response {
        let caller = self.caller(who);
        match accept {
            Accept::None => caller.call(line),
            Accept::Any => caller.accepting(line, "*/*"),
            Accept::Text => caller.accepting(line, "text/plain"),
            Accept::Octets => caller.accepting(line, "application/octet-stream"),
            Accept::Html => caller.accepting(line, "text/html"),
        }
    }

    fn check_payload(
        &mut self,
        who: Who,
        at: Option<usize>,
        accept: Accept,
        operation: &str,
        answer: &Response,
    ) -> Outcome {
        let Some(secret) = self.admitted(who, at, (Rule::Decrypt, operation), answer)? else {
            return Ok(());
        };
        let Some(payload) = &secret.payload else {
            let text = "Not Found. Sorry but your secret has no payload.";
            return refused(answer, 404, text);
        };
        let is_text = std::str::from_utf8(&payload.bytes).is_ok();
        let shown = match (accept, payload.kind) {
            (Accept::None | Accept::Octets, _) => Some("application/octet-stream"),
            (Accept::Any, Kind::Octets | Kind::Base64) => Some("application/octet-stream"),
            (Accept::Any, Kind::Text) => Some("text/plain; charset=UTF-8"),
            (Accept::Text, _) => is_text.then_some("text/plain; charset=UTF-8"),
            (Accept::Html, _) => None,
        };
        let Some(shown) = shown else {
            let text = format!("{operation} issue seen - Wrong payload content-type.");
            return refused(answer, 406, &text);
        };
        prop_assert_eq!(answer.status, 200, "{}", answer.text());
        prop_assert_eq!(&answer.body, &payload.bytes);
        prop_assert_eq!(answer.header("content-type"), Some(shown.to_owned()));
        Ok(())
    }

    // === metadata of Barbican ===

    fn show(&mut self, who: Who, at: Option<usize>, version: Version) -> Outcome {
        let headers = [("OpenStack-API-Version", version.header())];
        let line = format!("GET {}", self.path(at));
        let answer = self.caller(who).send(&line, &headers, b"");
        self.check_shown(who, at, version, &answer)
    }

    fn check_shown(
        &mut self,
        who: Who,
        at: Option<usize>,
        version: Version,
        answer: &Response,
    ) -> Outcome {
        let gate = (Rule::Get, "Secret retrieval");
        match self.admitted(who, at, gate, answer)? {
            Some(secret) => secret.check(&accepted(answer, 200)?, version != Version::V1_0),
            None => Ok(()),
        }
    }

    fn delete(
        &mut self,
        who: Who,
        at: Option<usize>,
        version: Version,
        force: Option<bool>,
    ) -> Outcome {
        let query = force.map_or(String::new(), |force| format!("?force={force}"));
        let line = format!("DELETE {}{query}", self.path(at));
        let headers = [("OpenStack-API-Version", version.header())];
        let answer = self.caller(who).send(&line, &headers, b"");
        let gate = (Rule::Delete, "Secret deletion");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        if version == Version::V1_2 && force != Some(true) && !secret.consumers.is_empty() {
            let text =
                "Secret deletion issue seen - Secret cannot be deleted as it has consumers..";
            return refused(&answer, 400, text);
        }
        secret.is_deleted = true;
        done(&answer)
    }

    // === lists ===

    /// The secrets that `wanted` names, in the order of their creation.
    fn places(&self, wanted: impl Fn(&Secret) -> bool) -> Vec<usize> {
        let live = |secret: &Secret| !secret.is_deleted && wanted(secret);
        let all = self.secrets.iter().enumerate();
        all.filter(|(_, secret)| live(secret))
            .map(|(at, _)| at)
            .collect()
    }

    /// Checks a list of all that is at `places`, of which the request asked for a part.
    fn check_list(
        &mut self,
        who: Who,
        query: (&str, u8, u8),
        places: &[usize],
        version: Version,
    ) -> Outcome {
        let (filter, limit, offset) = query;
        let line = format!("GET /v1/secrets?limit={limit}&offset={offset}{filter}");
        let headers = [("OpenStack-API-Version", version.header())];
        let answer = self.caller(who).send(&line, &headers, b"");
        if who.role() != "member" {
            return denied(&answer, "Secret(s) retrieval");
        }
        let body = accepted(&answer, 200)?;
        let url = format!("{}/v1/secrets", self.base);
        let part = check_envelope(&body, ("secrets", &url), filter, (limit, offset), places)?;
        for (at, shown) in part
            .iter()
            .zip(body["secrets"].as_array().into_iter().flatten())
        {
            self.secrets[*at].check(shown, version != Version::V1_0)?;
        }
        Ok(())
    }

    fn list(&mut self, who: Who, limit: u8, offset: u8, version: Version) -> Outcome {
        let places = self.places(|secret| secret.project() == who.project());
        self.check_list(who, ("", limit, offset), &places, version)
    }

    fn list_by_name(&mut self, who: Who, number: u8) -> Outcome {
        let wanted = name(number);
        let places = self.places(|secret| {
            secret.project() == who.project() && secret.name() == Some(wanted.as_str())
        });
        let filter = format!("&name={}", wanted.replace(' ', "+"));
        self.check_list(who, (&filter, 100, 0), &places, Version::V1_0)
    }

    fn list_newest_first(&mut self, who: Who) -> Outcome {
        let mut places = self.places(|secret| secret.project() == who.project());
        places.reverse();
        let filter = "&sort=created%3Adesc";
        self.check_list(who, (filter, 100, 0), &places, Version::V1_1)
    }

    fn list_shared(&mut self, who: Who) -> Outcome {
        let places = self.places(|secret| secret.names(who));
        let filter = "&acl_only=true";
        self.check_list(who, (filter, 100, 0), &places, Version::V1_2)
    }

    // === user metadata ===

    fn show_metadata(&mut self, who: Who, at: Option<usize>) -> Outcome {
        let line = format!("GET {}/metadata", self.path(at));
        let answer = self.caller(who).call(&line);
        let gate = (Rule::ReadMetadata, "Secret metadata retrieval");
        if let Some(secret) = self.admitted(who, at, gate, &answer)? {
            let body = accepted(&answer, 200)?;
            prop_assert_eq!(body, json!({"metadata": secret.metadata}));
        }
        Ok(())
    }

    fn put_metadata(&mut self, who: Who, at: Option<usize>, entries: &[(&str, u8)]) -> Outcome {
        // Keys that differ in letter case alone would make the order count.
        let metadata: Map<String, Value> = entries
            .iter()
            .map(|(key, value)| (key.to_lowercase(), json!(text(*value))))
            .collect();
        let path = self.path(at);
        let answer = self.caller(who).json(
            &format!("PUT {path}/metadata"),
            &json!({"metadata": metadata}),
        );
        let reference = format!("{}{path}/metadata", self.base);
        let gate = (Rule::WriteMetadata, "Secret metadata creation");
        if let Some(secret) = self.admitted(who, at, gate, &answer)? {
            let body = accepted(&answer, 201)?;
            prop_assert_eq!(body, json!({"metadata_ref": reference}));
            secret.metadata = metadata
                .into_iter()
                .map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned()))
                .collect();
        }
        Ok(())
    }

    fn add_metadatum(&mut self, who: Who, at: Option<usize>, key: &str, value: u8) -> Outcome {
        let path = self.path(at);
        let answer = self.caller(who).json(
            &format!("POST {path}/metadata"),
            &json!({"key": key, "value": text(value)}),
        );
        let stored = key.to_lowercase();
        let reference = format!("{}{path}/metadata/{stored}", self.base);
        let gate = (Rule::WriteMetadata, "Secret metadatum creation");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        if secret.metadata.contains_key(&stored) {
            let text = "Conflict. Key in request is already in the secret metadata";
            return refused(&answer, 409, text);
        }
        let body = accepted(&answer, 201)?;
        prop_assert_eq!(body, json!({"key": stored, "value": text(value)}));
        prop_assert_eq!(answer.header("location"), Some(reference));
        secret.metadata.insert(stored, text(value));
        Ok(())
    }

    fn show_metadatum(&mut self, who: Who, at: Option<usize>, key: &str) -> Outcome {
        let line = format!("GET {}/metadata/{key}", self.path(at));
        let answer = self.caller(who).call(&line);
        let gate = (Rule::ReadMetadata, "Secret metadatum retrieval");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        match secret.metadata.get(key) {
            None => refused(&answer, 404, "Secret metadata not found."),
            Some(value) => {
                let body = accepted(&answer, 200)?;
                prop_assert_eq!(body, json!({"key": key, "value": value}));
                Ok(())
            }
        }
    }

    fn change_metadatum(
        &mut self,
        who: Who,
        at: Option<usize>,
        in_path: &str,
        in_body: &str,
        value: u8,
    ) -> Outcome {
        let line = format!("PUT {}/metadata/{in_path}", self.path(at));
        let body = json!({"key": in_body, "value": text(value)});
        let answer = self.caller(who).json(&line, &body);
        let gate = (Rule::WriteMetadata, "Secret metadatum update");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        if !secret.metadata.contains_key(in_path) {
            return refused(&answer, 404, "Secret metadata not found.");
        }
        if in_body.to_lowercase() != in_path {
            return refused(
                &answer,
                409,
                "Key in request data does not match key in the ",
            );
        }
        let body = accepted(&answer, 200)?;
        prop_assert_eq!(body, json!({"key": in_path, "value": text(value)}));
        secret.metadata.insert(in_path.to_owned(), text(value));
        Ok(())
    }

    fn remove_metadatum(&mut self, who: Who, at: Option<usize>, key: &str) -> Outcome {
        let line = format!("DELETE {}/metadata/{key}", self.path(at));
        let answer = self.caller(who).call(&line);
        let gate = (Rule::WriteMetadata, "Secret metadatum removal");
        if let Some(secret) = self.admitted(who, at, gate, &answer)? {
            secret.metadata.remove(key);
            done(&answer)?;
        }
        Ok(())
    }

    // === consumers ===

    fn add_consumer(&mut self, who: Who, at: Option<usize>, number: u8) -> Outcome {
        let path = self.path(at);
        let line = format!("POST {path}/consumers");
        let answer = self.caller(who).json(&line, &consumer(number));
        let location = format!("{}/v1/consumers/{}/consumers", self.base, id_of(&path));
        let gate = (Rule::Consumers, "SecretConsumer creation");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        if secret.consumers.iter().all(|(known, _)| *known != number) {
            secret.consumers.push((number, who.project()));
            secret.touch();
        }
        prop_assert_eq!(answer.header("location"), Some(location));
        secret.check(&accepted(&answer, 200)?, true)
    }

    fn remove_consumer(&mut self, who: Who, at: Option<usize>, number: u8) -> Outcome {
        let line = format!("DELETE {}/consumers", self.path(at));
        let answer = self.caller(who).json(&line, &consumer(number));
        let gate = (Rule::Consumers, "SecretConsumer deletion");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        let Some(place) = secret
            .consumers
            .iter()
            .position(|(known, _)| *known == number)
        else {
            return refused(&answer, 404, "Consumer not found.");
        };
        let (_, registrar) = secret.consumers[place];
        if who.project() != registrar && who.project() != secret.project() {
            let text = "Not Allowed. Sorry, only the creator of a consumer can delete it.";
            return refused(&answer, 403, text);
        }
        secret.consumers.remove(place);
        secret.check(&accepted(&answer, 200)?, true)
    }

    fn list_consumers(&mut self, who: Who, at: Option<usize>, limit: u8, offset: u8) -> Outcome {
        let path = self.path(at);
        let line = format!("GET {path}/consumers?limit={limit}&offset={offset}");
        let answer = self.caller(who).call(&line);
        let url = format!("{}{path}/consumers", self.base);
        let gate = (Rule::Consumers, "SecretConsumers(s) retrieval");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        let body = accepted(&answer, 200)?;
        let all: Vec<u8> = secret.consumers.iter().map(|(number, _)| *number).collect();
        let part = check_envelope(&body, ("consumers", &url), "", (limit, offset), &all)?;
        for (number, shown) in part
            .iter()
            .zip(body["consumers"].as_array().into_iter().flatten())
        {
            let mut expected = consumer(*number);
            expected["status"] = json!("ACTIVE");
            expected["created"] = shown["created"].clone();
            expected["updated"] = shown["updated"].clone();
            prop_assert_eq!(shown, &expected);
        }
        Ok(())
    }

    // === ACLs ===

    fn show_acl(&mut self, who: Who, at: Option<usize>) -> Outcome {
        let line = format!("GET {}/acl", self.path(at));
        let answer = self.caller(who).call(&line);
        let case = self.case;
        let gate = (Rule::Acl, "SecretACL(s) retrieval");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        let mut shown = accepted(&answer, 200)?;
        let expected = match &secret.acl {
            None => json!({"read": {"project-access": true}}),
            Some(acl) => {
                let mut users: Vec<String> = acl
                    .users
                    .iter()
                    .map(|who| format!("{}-{case}", who.name()))
                    .collect();
                users.sort_unstable();
                json!({"read": {"project-access": acl.project_access, "users": users,
                    "created": shown["read"]["created"], "updated": shown["read"]["updated"]}})
            }
        };
        // Their order means nothing.
        if let Some(users) = shown
            .pointer_mut("/read/users")
            .and_then(Value::as_array_mut)
        {
            users.sort_unstable_by_key(Value::to_string);
        }
        prop_assert_eq!(shown, expected);
        Ok(())
    }

    fn write_acl(&mut self, who: Who, at: Option<usize>, method: &str, body: &AclBody) -> Outcome {
        let mut read = Map::new();
        if let Some(access) = body.project_access {
            read.insert("project-access".to_owned(), json!(access));
        }
        if let Some(users) = &body.users {
            let users: Vec<String> = users.iter().map(|who| self.user(*who)).collect();
            read.insert("users".to_owned(), json!(users));
        }
        let path = self.path(at);
        let line = format!("{method} {path}/acl");
        let answer = self.caller(who).json(&line, &json!({"read": read}));
        let reference = format!("{}{path}/acl", self.base);
        let gate = (Rule::Acl, "SecretACL(s) Update");
        let Some(secret) = self.admitted(who, at, gate, &answer)? else {
            return Ok(());
        };
        let says_nothing = read.is_empty();
        let new = match method {
            "PUT" => Acl::replaced(body),
            _ if says_nothing => secret.acl.clone(),
            _ => Acl::patched(secret.acl.as_ref(), body),
        };
        secret.acl = new;
        if method == "PUT" || !says_nothing {
            secret.touch();
        }
        prop_assert_eq!(accepted(&answer, 200)?, json!({"acl_ref": reference}));
        Ok(())
    }

    fn delete_acl(&mut self, who: Who, at: Option<usize>) -> Outcome {
        let line = format!("DELETE {}/acl", self.path(at));
        let answer = self.caller(who).call(&line);
        let gate = (Rule::Acl, "SecretACL(s) deletion");
        if let Some(secret) = self.admitted(who, at, gate, &answer)? {
            secret.acl = None;
            prop_assert_eq!(accepted(&answer, 200)?, Value::Null);
        }
        Ok(())
    }

    // === the end ===

    /// Reads all there is of all secrets, and what is left of those that were deleted.
    pub(crate) fn look_at_everything(&mut self) -> Outcome {
        for at in 0..self.secrets.len() {
            let admin = match self.secrets[at].project() {
                "home" => Who::Admin,
                _ => self.secrets[at].creator,
            };
            let at = Some(at);
            self.show(admin, at, Version::V1_2)?;
            self.read_payload(admin, at, Accept::Octets)?;
            self.show_metadata(admin, at)?;
            self.list_consumers(admin, at, 100, 0)?;
            self.show_acl(admin, at)?;
        }
        for who in [Who::Owner, Who::Stranger] {
            self.list(who, 100, 0, Version::V1_2)?;
        }
        Ok(())
    }
}

/// The body of a creation.
fn creation(new: &NewSecret) -> Value {
    let mut body = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    set("name", new.name.map(|number| json!(name(number))));
    set("secret_type", new.secret_type.map(Value::from));
    set("algorithm", new.algorithm.map(Value::from));
    set("mode", new.mode.map(Value::from));
    set("bit_length", new.bit_length.map(Value::from));
    set("expiration", new.expires.then(|| json!(FAR_SENT)));
    if let Some(payload) = &new.payload {
        let text = match payload.kind {
            Kind::Text => String::from_utf8_lossy(&payload.bytes).into_owned(),
            Kind::Octets | Kind::Base64 => base64(&payload.bytes),
        };
        set("payload", Some(json!(text)));
        set("payload_content_type", Some(json!(payload.content_type())));
        let encoding = (payload.kind != Kind::Text).then(|| json!("base64"));
        set("payload_content_encoding", encoding);
    }
    Value::Object(body)
}

/// Checks total and links of a list of `all`, and how many items are shown; gives those that should be.
fn check_envelope<'a, T>(
    body: &Value,
    list: (&str, &str),
    filter: &str,
    asked: (u8, u8),
    all: &'a [T],
) -> Result<&'a [T], TestCaseError> {
    let (plural, url) = list;
    let limit = usize::from(asked.0).clamp(1, 100);
    let offset = usize::from(asked.1);
    let from = offset.min(all.len());
    let part = &all[from..(from + limit).min(all.len())];
    let link = |offset: usize| json!(format!("{url}?limit={limit}&offset={offset}{filter}"));
    let mut expected = Map::new();
    expected.insert(plural.to_owned(), body[plural].clone());
    expected.insert("total".to_owned(), json!(all.len()));
    if !part.is_empty() && offset > 0 {
        expected.insert("previous".to_owned(), link(offset.saturating_sub(limit)));
    }
    if !part.is_empty() && all.len() > offset + limit {
        expected.insert("next".to_owned(), link(offset + limit));
    }
    prop_assert_eq!(body, &Value::Object(expected));
    prop_assert_eq!(body[plural].as_array().map(Vec::len), Some(part.len()));
    Ok(part)
}

/// Few values, one of them empty.
fn text(value: u8) -> String {
    "v".repeat(value.into())
}

// === answers ===

fn accepted(answer: &Response, status: u16) -> Result<Value, TestCaseError> {
    prop_assert_eq!(answer.status, status, "{}", answer.text());
    Ok(answer.json())
}

fn done(answer: &Response) -> Outcome {
    prop_assert_eq!(answer.status, 204, "{}", answer.text());
    prop_assert!(answer.body.is_empty());
    Ok(())
}

fn refused(answer: &Response, status: u16, description: &str) -> Outcome {
    prop_assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    prop_assert_eq!(&body["code"], status);
    prop_assert_eq!(&body["description"], description);
    Ok(())
}

fn denied(answer: &Response, operation: &str) -> Outcome {
    let text =
        format!("{operation} attempt not allowed - please review your user/project privileges");
    refused(answer, 403, &text)
}
