//! Readers against a server that holds what a test says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::limits::{self, judge_limit};
use super::model::{Change, Kind, Made, MadeSecret, Member, Op, Payload, Record, Spec};
use super::remote::Outcome;
use super::verify::{Finding, Reader, judge_order};

/// Bodies by path; what is not there is answered 404.
type Pages = BTreeMap<String, String>;

fn serve(pages: Pages) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), &pages);
        }
    });
    host
}

/// Answers requests without body until the client closes.
fn answer(stream: TcpStream, pages: &Pages) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(first)) = lines.next() {
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        let page = first.split(' ').nth(1).and_then(|path| pages.get(path));
        let (status, body) = page.map_or((404, "{}"), |body| (200, body.as_str()));
        let mut stream = &stream;
        // In one piece: small ones wait for one another.
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// What a server holds, all of one project.
#[derive(Default)]
struct Held {
    pages: Pages,
    ids: BTreeMap<Kind, Vec<String>>,
}

impl Held {
    fn entity(mut self, kind: Kind, id: &str, name: &str, document: &Value) -> Self {
        let at = format!("/v1/{}/{id}", kind.plural());
        self.pages.insert(at.clone(), document.to_string());
        self.pages.insert(
            format!("{at}/acl"),
            json!({"read": {"project-access": true}}).to_string(),
        );
        let query = match kind {
            Kind::Order => format!("meta=%22{name}%22"),
            _ => format!("name={name}"),
        };
        self.pages.insert(
            format!("/v1/{}?limit=10&{query}", kind.plural()),
            list(kind, &[id.to_owned()]),
        );
        self.ids.entry(kind).or_default().push(id.to_owned());
        self
    }

    fn secret(self, id: &str, name: &str, payload: &str) -> Self {
        self.typed_secret(id, name, payload, "text/plain")
    }

    fn typed_secret(self, id: &str, name: &str, payload: &str, content_type: &str) -> Self {
        let document = json!({"consumers": [], "content_types": {"default": content_type}});
        let mut held = self.entity(Kind::Secret, id, name, &document);
        let at = format!("/v1/secrets/{id}");
        held.pages.insert(
            format!("{at}/metadata"),
            json!({ "metadata": {} }).to_string(),
        );
        held.pages
            .insert(format!("{at}/payload"), payload.to_owned());
        held
    }

    /// With one secret in it.
    fn container(self, id: &str, name: &str, secret: &str) -> Self {
        let member = json!({"name": "m", "secret_ref": format!("http://h/v1/secrets/{secret}")});
        let document = json!({"consumers": [], "secret_refs": [member]});
        self.entity(Kind::Container, id, name, &document)
    }

    /// For a key that is the secret `key`.
    fn order(self, id: &str, name: &str, status: &str, key: &str) -> Self {
        let document = json!({
            "type": "key",
            "status": status,
            "meta": {"name": name, "algorithm": "aes", "bit_length": 256},
            "secret_ref": format!("http://h/v1/secrets/{key}"),
        });
        self.entity(Kind::Order, id, name, &document)
    }

    /// The bytes of a key.
    fn key(self, id: &str) -> Self {
        self.typed_secret(id, "o", "key", "application/octet-stream")
    }

    fn into_pages(mut self) -> Pages {
        for kind in Kind::ALL {
            let ids = self.ids.remove(&kind).unwrap_or_default();
            for limit in [1, 100] {
                let path = format!("/v1/{}?offset=0&limit={limit}", kind.plural());
                self.pages.insert(path, list(kind, &ids));
            }
            for name in ["a", "b", "c", "o"] {
                let query = match kind {
                    Kind::Order => format!("meta=%22{name}%22"),
                    _ => format!("name={name}"),
                };
                let path = format!("/v1/{}?limit=10&{query}", kind.plural());
                self.pages.entry(path).or_insert_with(|| list(kind, &[]));
            }
        }
        self.pages
    }
}

fn list(kind: Kind, ids: &[String]) -> String {
    let plural = kind.plural();
    let reference = |id: &String| json!({kind.reference(): format!("http://h/v1/{plural}/{id}")});
    let entries: Vec<Value> = ids.iter().map(reference).collect();
    json!({plural: entries, "total": ids.len()}).to_string()
}

fn holds(secrets: &[(&str, &str, &str)]) -> Held {
    secrets
        .iter()
        .fold(Held::default(), |held, (id, name, payload)| {
            held.secret(id, name, payload)
        })
}

fn intent(kind: Kind, name: &str, change: Change) -> Record {
    Record::Intent(Op {
        kind,
        limited: false,
        name: name.to_owned(),
        change,
    })
}

fn op(name: &str, change: Change) -> Record {
    intent(Kind::Secret, name, change)
}

fn create(name: &str, payload: &str) -> Record {
    op(
        name,
        Change::Create(Some(Payload::Text(payload.to_owned()))),
    )
}

/// A container `c` with the id `1` and the secret `s` in it, acknowledged.
fn created_container() -> [Record; 4] {
    let member = Member {
        name: "m".to_owned(),
        secret: "s".to_owned(),
    };
    [
        create("a", "x"),
        acknowledged("s"),
        intent(
            Kind::Container,
            "c",
            Change::CreateContainer([member].into()),
        ),
        acknowledged("1"),
    ]
}

fn spec(pair: bool) -> Spec {
    Spec {
        pair,
        algorithm: "aes".to_owned(),
        bits: 256,
        sealed: false,
    }
}

/// An order `o` for a key, without an answer.
fn order() -> Record {
    intent(Kind::Order, "o", Change::CreateOrder(spec(false)))
}

fn acknowledged(id: &str) -> Record {
    Record::Acknowledged {
        id: Some(id.to_owned()),
    }
}

/// What a reader finds after these records on such a server.
fn found(records: &[Record], held: Held) -> (Vec<Finding>, Client) {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let mut client = Client::new(0, folder.path(), 1).unwrap();
    for record in records {
        client.record(record).unwrap();
        if let Record::Intent(op) = record {
            client.touched.insert(op.name.clone());
        }
    }
    let host = serve(held.into_pages());
    let wait = Duration::from_millis(50);
    let mut reader = Reader::new(&mut client, &host, wait).unwrap();
    reader.recent().unwrap();
    reader.everything().unwrap();
    (std::mem::take(&mut reader.findings), client)
}

#[track_caller]
fn check(records: &[Record], secrets: &[(&str, &str, &str)], lost: bool, phantoms: bool) {
    check_held(records, holds(secrets), lost, phantoms);
}

#[track_caller]
fn check_held(records: &[Record], held: Held, lost: bool, phantoms: bool) {
    let (findings, _) = found(records, held);
    let any = |wanted: fn(&Finding) -> bool| findings.iter().any(wanted);
    let is = (
        any(|f| matches!(f, Finding::Lost(_))),
        any(|f| matches!(f, Finding::Phantom(_))),
    );
    assert_eq!(is, (lost, phantoms), "{findings:?}");
}

#[test]
fn what_was_acknowledged_is_there() {
    check(
        &[create("a", "x"), acknowledged("1")],
        &[("1", "a", "x")],
        false,
        false,
    );
    check(&[], &[], false, false);
}

#[test]
fn a_missing_or_changed_secret_is_lost() {
    check(&[create("a", "x"), acknowledged("1")], &[], true, false);
    check(
        &[create("a", "x"), acknowledged("1")],
        &[("1", "a", "y")],
        true,
        false,
    );
}

#[test]
fn a_secret_that_nobody_wrote_is_a_phantom() {
    check(&[], &[("1", "a", "x")], false, true);
}

#[test]
fn a_deleted_secret_that_is_back_is_a_lost_delete() {
    let deleted = [
        create("a", "x"),
        acknowledged("1"),
        op("a", Change::Delete),
        Record::Acknowledged { id: None },
    ];
    check(&deleted, &[("1", "a", "x")], true, true);
    check(&deleted, &[], false, false);
}

#[test]
fn a_write_without_an_answer_may_have_happened_or_not() {
    let pending = [create("a", "x")];
    let (findings, client) = found(&pending, holds(&[]));
    assert!(
        findings.is_empty() && client.model.entities.is_empty(),
        "{findings:?}"
    );
    let (findings, client) = found(&pending, holds(&[("1", "a", "x")]));
    assert!(
        findings.is_empty() && client.model.entities["a"].id == "1",
        "{findings:?}"
    );
}

#[test]
fn a_write_without_an_answer_is_whole_or_absent() {
    let (findings, _) = found(&[create("a", "whole")], holds(&[("1", "a", "who")]));
    assert!(
        matches!(findings.first(), Some(Finding::Lost(_))),
        "{findings:?}"
    );
}

#[test]
fn a_lost_or_changed_container_is_found() {
    let records = created_container();
    let secret = || holds(&[("s", "a", "x")]);
    check_held(&records, secret().container("1", "c", "s"), false, false);
    check_held(&records, secret(), true, false);
    check_held(&records, secret().container("1", "c", "other"), true, false);
}

#[test]
fn a_container_that_nobody_wrote_is_a_phantom() {
    let twice = holds(&[("s", "a", "x")])
        .container("1", "c", "s")
        .container("2", "c", "s");
    check_held(&created_container(), twice, false, true);
}

#[test]
fn an_order_leaves_one_key() {
    let held = || Held::default().order("1", "o", "ACTIVE", "k").key("k");
    let records = [order(), acknowledged("1")];
    check_held(&records, held(), false, false);
    check_held(&[order()], held(), false, false);
    check_held(&records, held().key("second"), false, true);
    // Seen before the kill, and another one after it.
    let seen = Record::Made {
        name: "o".to_owned(),
        made: made("first"),
    };
    let [first, second] = records;
    check_held(&[first, second, seen], held(), true, true);
}

#[test]
fn a_key_without_its_order_is_a_phantom() {
    check_held(&[order()], Held::default().key("k"), false, true);
}

#[test]
fn a_lost_order_is_lost() {
    check_held(&[order(), acknowledged("1")], Held::default(), true, false);
}

#[test]
fn an_order_that_stays_pending_is_stuck() {
    let held = Held::default().order("1", "o", "PENDING", "k");
    let (findings, _) = found(&[order(), acknowledged("1")], held);
    assert!(
        matches!(findings.first(), Some(Finding::Stuck(_))),
        "{findings:?}"
    );
}

#[test]
fn an_order_has_to_make_what_it_was_for() {
    let judge = |spec: &Spec, outcome: Outcome| judge_order("o", spec, None, &outcome);
    let key = Outcome::Active(made("k"));
    assert_eq!(judge(&spec(false), key.clone()), None);
    let half_a_pair = judge(&spec(true), key);
    assert!(
        matches!(half_a_pair, Some(Finding::Lost(_))),
        "{half_a_pair:?}"
    );
    let failed = judge(&spec(false), Outcome::Error("{}".to_owned()));
    assert!(matches!(failed, Some(Finding::Lost(_))), "{failed:?}");
}

#[test]
fn more_than_a_quota_allows_is_found() {
    for (counted, limit) in [
        ("secrets", 20),
        ("containers", 12),
        ("orders", 12),
        ("consumers", 4),
    ] {
        assert_eq!(judge_limit("of p", counted, limit), None);
        let passed = judge_limit("of p", counted, limit + 1);
        assert!(matches!(passed, Some(Finding::Passed(_))), "{passed:?}");
    }
}

#[test]
fn a_passed_quota_is_found_in_what_the_server_lists() {
    let passed = |count: usize| {
        let held = (0..count).fold(Held::default(), |held, number| {
            held.secret(&number.to_string(), "a", "x")
        });
        let mut pages = held.into_pages();
        let quotas = json!({"secrets": 20, "containers": 12, "orders": 12, "consumers": 4});
        for project in ["crash-limited", "crash-limited-orders"] {
            pages.insert(
                format!("/v1/project-quotas/{project}"),
                json!({ "project_quotas": quotas }).to_string(),
            );
        }
        // Nobody wrote these, which is found besides.
        let findings = limits::check(&serve(pages), &[]).unwrap();
        let passed = findings
            .iter()
            .filter(|it| matches!(it, Finding::Passed(_)));
        (passed.count(), findings.len() > 1)
    };
    assert_eq!(passed(20).0, 0);
    // By its total and by its rows.
    assert_eq!(passed(21), (2, true));
}

fn made(id: &str) -> Made {
    let key = MadeSecret {
        id: id.to_owned(),
        sha256: crate::kit::sums::sha256_hex(b"key"),
    };
    Made {
        container: None,
        secrets: [(Made::KEY.to_owned(), key)].into(),
    }
}
