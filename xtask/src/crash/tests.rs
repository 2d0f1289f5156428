//! Readers against a server that holds what a test says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::model::{Change, Op, Payload, Record};
use super::verify::{Finding, Reader};

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
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    }
}

/// The pages of a server that holds secrets as (id, name, payload), all of one project.
fn pages(secrets: &[(&str, &str, &str)]) -> Pages {
    let mut pages = Pages::new();
    let document = |id: &str| json!({"secret_ref": format!("http://h/v1/secrets/{id}")});
    let list = |ids: &[&str], total: usize| {
        let secrets: Vec<Value> = ids.iter().map(|id| document(id)).collect();
        json!({ "secrets": secrets, "total": total }).to_string()
    };
    for (id, name, payload) in secrets {
        let at = format!("/v1/secrets/{id}");
        let secret = json!({"consumers": [], "content_types": {"default": "text/plain"}});
        pages.insert(at.clone(), secret.to_string());
        pages.insert(
            format!("{at}/metadata"),
            json!({ "metadata": {} }).to_string(),
        );
        pages.insert(format!("{at}/payload"), (*payload).to_owned());
        pages.insert(format!("/v1/secrets?limit=10&name={name}"), list(&[id], 1));
    }
    let ids: Vec<&str> = secrets.iter().map(|(id, _, _)| *id).collect();
    pages.insert(
        "/v1/secrets?offset=0&limit=100".to_owned(),
        list(&ids, ids.len()),
    );
    pages.insert(
        "/v1/secrets?offset=0&limit=1".to_owned(),
        list(&ids[..ids.len().min(1)], ids.len()),
    );
    for name in ["a", "b"] {
        let path = format!("/v1/secrets?limit=10&name={name}");
        pages.entry(path).or_insert_with(|| list(&[], 0));
    }
    pages
}

fn op(name: &str, change: Change) -> Record {
    let name = name.to_owned();
    Record::Intent(Op { name, change })
}

fn create(name: &str, payload: &str) -> Record {
    op(
        name,
        Change::Create(Some(Payload::Text(payload.to_owned()))),
    )
}

fn acknowledged(id: &str) -> Record {
    Record::Acknowledged {
        id: Some(id.to_owned()),
    }
}

/// What a reader finds after these records on a server that holds these secrets.
fn found(records: &[Record], secrets: &[(&str, &str, &str)]) -> (Vec<Finding>, Client) {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let mut client = Client::new(0, folder.path(), 1).unwrap();
    records
        .iter()
        .for_each(|record| client.record(record).unwrap());
    let host = serve(pages(secrets));
    let mut reader = Reader::new(&mut client, &host).unwrap();
    reader.recent().unwrap();
    reader.everything().unwrap();
    (std::mem::take(&mut reader.findings), client)
}

#[track_caller]
fn check(records: &[Record], secrets: &[(&str, &str, &str)], lost: bool, phantoms: bool) {
    let (findings, _) = found(records, secrets);
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
    let (findings, client) = found(&pending, &[]);
    assert!(
        findings.is_empty() && client.model.secrets.is_empty(),
        "{findings:?}"
    );
    let (findings, client) = found(&pending, &[("1", "a", "x")]);
    assert!(
        findings.is_empty() && client.model.secrets["a"].id == "1",
        "{findings:?}"
    );
}

#[test]
fn a_write_without_an_answer_is_whole_or_absent() {
    let (findings, _) = found(&[create("a", "whole")], &[("1", "a", "who")]);
    assert!(
        matches!(findings.first(), Some(Finding::Lost(_))),
        "{findings:?}"
    );
}
