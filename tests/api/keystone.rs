//! Tokens of a Keystone, which here is a few answers.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::support::{Launch, Server};

/// Knows the tokens `member` and `limited`, and `of-ID` of each of its projects;
/// ends with the process.
pub(crate) struct Keystone {
    url: String,
    calls: Arc<AtomicUsize>,
    is_ill: Arc<AtomicBool>,
    projects: Projects,
}

type Projects = Arc<Mutex<BTreeSet<String>>>;

impl Keystone {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let keystone = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            calls: Arc::default(),
            is_ill: Arc::default(),
            projects: Arc::default(),
        };
        let (calls, is_ill) = (keystone.calls.clone(), keystone.is_ill.clone());
        let projects = keystone.projects.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &calls, &is_ill, &projects);
            }
        });
        keystone
    }

    pub(crate) fn create(&self, project: &str) {
        self.projects.lock().unwrap().insert(project.to_owned());
    }

    pub(crate) fn delete(&self, project: &str) {
        self.projects.lock().unwrap().remove(project);
    }

    /// From now on it answers with something else, or again as it should.
    pub(crate) fn set_ill(&self, is_ill: bool) {
        self.is_ill.store(is_ill, Ordering::SeqCst);
    }

    fn server(&self, modes: &str) -> Server {
        self.launch(modes).start()
    }

    pub(crate) fn launch(&self, modes: &str) -> Launch {
        Launch::new(modes)
            .env("DONJON_AUTH__MODES", modes)
            .env("DONJON_AUTH__KEYSTONE__AUTH_URL", &self.url)
            .env("DONJON_AUTH__KEYSTONE__USERNAME", "barbican")
            .env("DONJON_AUTH__KEYSTONE__PASSWORD", "canary-password")
            .env("DONJON_AUTH__KEYSTONE__PROJECT_NAME", "service")
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// Answers one request, and closes.
fn answer(mut stream: TcpStream, calls: &AtomicUsize, is_ill: &AtomicBool, projects: &Projects) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut token, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut line).unwrap();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        match name.to_lowercase().as_str() {
            "x-subject-token" => token = value.to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, extra, body) = if is_ill.load(Ordering::SeqCst) {
        (200, "", json!("maintenance"))
    } else if line.starts_with("POST ") {
        let json: Value = serde_json::from_slice(&body).unwrap();
        let user = &json["auth"]["identity"]["password"]["user"];
        assert_eq!(user["password"], "canary-password");
        let own = token_of("service", &json!(null));
        (201, "X-Subject-Token: own\r\n", own)
    } else if let Some((_, rest)) = line.split_once("GET /v3/projects/") {
        let id = rest.split(' ').next().unwrap_or_default();
        if projects.lock().unwrap().contains(id) {
            (200, "", json!({"project": {"id": id, "enabled": false}}))
        } else {
            let message = format!("Could not find project: {id}.");
            (404, "", json!({"error": {"code": 404, "message": message}}))
        }
    } else {
        calls.fetch_add(1, Ordering::SeqCst);
        match token.as_str() {
            "member" => (200, "", token_of("p", &json!(null))),
            "limited" => (200, "", token_of("p", &rules())),
            token if is_of(token, projects) => (
                200,
                "",
                token_of(token.trim_start_matches("of-"), &json!(null)),
            ),
            _ => (404, "", json!({"error": {"code": 404}})),
        }
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{extra}Content-Length: {}\r\n",
        body.len()
    );
    // A client that has given up is none of our business.
    drop(write!(stream, "{head}Connection: close\r\n\r\n{body}"));
}

fn rules() -> Value {
    json!([{"service": "key-manager", "method": "GET", "path": "/v1/secrets/{id}/payload"}])
}

fn is_of(token: &str, projects: &Projects) -> bool {
    let project = token.strip_prefix("of-");
    project.is_some_and(|project| projects.lock().unwrap().contains(project))
}

fn token_of(project: &str, rules: &Value) -> Value {
    json!({"token": {
        "user": {"id": "u", "domain": {"id": "d"}},
        "project": {"id": project, "domain": {"id": "d"}},
        "roles": [{"name": "member"}, {"name": "reader"}],
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "9999-01-01T00:00:00.000000Z",
        "application_credential": {"access_rules": rules},
        "catalog": [{"type": "key-manager", "endpoints": []}],
    }})
}

#[test]
fn tokens_of_keystone_count() {
    let keystone = Keystone::start();
    let server = keystone.server("keystone");
    let member = server.holder("member");
    let path = member.store("x");
    assert_eq!(member.call(&format!("GET {path}/payload")).text(), "x");
    assert_eq!(keystone.calls(), 1);

    for token in ["", "nobody", &server.launch().first_token()] {
        let refused = server.holder(token).call("GET /v1/secrets");
        assert_eq!(refused.status, 401);
        let expected = format!("Keystone uri=\"{}\"", keystone.url);
        assert_eq!(refused.header("WWW-Authenticate"), Some(expected));
        assert_eq!(refused.json()["error"]["code"], 401);
    }
    // Headers do not make anybody somebody else.
    let elsewhere = member.with("X-Project-Id", "q").with("X-Roles", "admin");
    assert_eq!(elsewhere.call("GET /v1/secrets").ok(200)["total"], 1);

    let limited = server.holder("limited");
    assert_eq!(limited.call(&format!("GET {path}/payload")).text(), "x");
    assert_eq!(limited.call(&format!("GET {path}")).status, 401);
    assert_eq!(limited.call(&format!("DELETE {path}")).status, 401);
    assert_eq!(limited.call("GET /v1/secrets").status, 401);
    let log = server.process().log();
    assert!(!log.contains("canary-password"), "{log}");
}

#[test]
fn an_outage_is_503_and_ends_by_itself() {
    let keystone = Keystone::start();
    let server = keystone.server("keystone");
    server.holder("member").store("x");
    keystone.set_ill(true);
    let refused = server.holder("limited").call("GET /v1/secrets");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("Retry-After").as_deref(), Some("1"));
    server.holder("member").store("y");
    keystone.set_ill(false);
    let path = server.holder("member").store("z");
    let payload = server
        .holder("limited")
        .call(&format!("GET {path}/payload"));
    assert_eq!(payload.text(), "z");
}

#[test]
fn both_modes_stand_side_by_side() {
    let keystone = Keystone::start();
    let server = keystone.server("keystone,tokens");
    let local = server.holder(&server.launch().first_token());
    local.store("x");
    assert_eq!(keystone.calls(), 0);
    server.holder("member").store("x");
    assert_eq!(server.holder("nobody").call("GET /v1/secrets").status, 401);
    assert_eq!(keystone.calls(), 2);
}
