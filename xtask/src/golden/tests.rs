//! Replays the recordings against a server that plays them back, whole and with single faults.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};

use base64ct::{Base64, Encoding as _};

use super::exceptions::Exceptions;
use super::format::{Body, Group, Scenario, Step};
use super::replay::{self, PlayedScenario, Target, Verdict};
use super::template::{MissingUuid, Scope, Uuids};
use super::{format, mutate};
use crate::kit::workspace;

const SEED: &str = "test";

fn recorded(name: &str) -> Group {
    let groups = format::read_groups(&workspace::root().join("tests/golden")).unwrap();
    groups
        .into_iter()
        .find(|group| group.group == name)
        .unwrap()
}

/// A group of one scenario.
fn only(group: &Group, scenario: &Scenario) -> Group {
    let mut only = group.clone();
    only.scenarios = vec![scenario.clone()];
    only
}

/// Replays `expected` against a server that answers as `served` says.
fn replay(
    served: &Group,
    expected: &Group,
    is_barbican: bool,
    exceptions: &str,
) -> Vec<PlayedScenario> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target {
        base: format!("http://{}", listener.local_addr().unwrap()),
        is_barbican,
    };
    let server = serve(listener, served.clone(), target.base.clone());
    let exceptions = exceptions_from(exceptions, expected);
    let played = replay::group(expected, &target, &exceptions, SEED);
    // Steps that were not sent leave the server waiting; one more connection each lets it end.
    for _ in played
        .iter()
        .flat_map(|scenario| &scenario.steps)
        .filter(|step| step.response.is_none())
    {
        drop(TcpStream::connect(
            target.base.trim_start_matches("http://"),
        ));
    }
    server.join().unwrap();
    played
}

fn exceptions_from(text: &str, group: &Group) -> Exceptions {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.toml");
    std::fs::write(&file, text).unwrap();
    Exceptions::read(
        &file,
        Path::new("/nonexistent"),
        std::slice::from_ref(group),
    )
    .unwrap()
}

/// Answers one connection for each step.
fn serve(listener: TcpListener, group: Group, base: String) -> JoinHandle<()> {
    thread::spawn(move || {
        for scenario in &group.scenarios {
            let scope = Scope::new(&base, &format!("{SEED} {} {}", group.group, scenario.name));
            let mut uuids = Uuids::new();
            for step in &scenario.steps {
                let (mut stream, _) = listener.accept().unwrap();
                read_request(&mut stream);
                // A client that has gone away has nothing to read.
                drop(stream.write_all(&answer(step, &scope, &mut uuids)));
            }
        }
    })
}

fn read_request(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    let mut chunk = [0; 65536];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if bytes.len() >= head.len() + 4 + length.unwrap_or(0) {
                return;
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// A recorded answer with its placeholders filled in.
fn answer(step: &Step, scope: &Scope, uuids: &mut Uuids) -> Vec<u8> {
    let recorded = &step.response;
    let mut fill = |text: &str| {
        let text = text
            .replace("{any}", "anything")
            .replace("{time}", "2026-01-02T03:04:05.123456");
        loop {
            match scope.fill(&text, uuids) {
                Ok(text) => return text,
                Err(MissingUuid(number)) => {
                    uuids.insert(number, format!("{number:08x}-0000-4000-8000-000000000000"));
                }
            }
        }
    };
    let body = match &recorded.body {
        None | Some(None) => Vec::new(),
        Some(Some(Body::Text(text))) => fill(text).into_bytes(),
        Some(Some(Body::Base64(text))) => Base64::decode_vec(text).unwrap(),
        Some(Some(Body::Length(length))) => vec![7; *length],
        Some(Some(Body::Pem(label))) => {
            format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes()
        }
        Some(Some(Body::Json(value))) => {
            let filled = value
                .try_map_texts(&mut |text| Ok::<_, MissingUuid>(fill(text)))
                .unwrap();
            filled.to_string().into_bytes()
        }
    };
    let mut head = format!("HTTP/1.1 {} Recorded\r\n", recorded.status);
    for (name, value) in recorded
        .headers
        .iter()
        .filter(|(name, _)| *name != "content-length")
    {
        head.push_str(&format!("{name}: {}\r\n", fill(value)));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let body = if matches!(recorded.status, 204 | 304) || step.request.method == "HEAD" {
        Vec::new()
    } else {
        body
    };
    [head.into_bytes(), body].concat()
}

fn failures(played: &[PlayedScenario]) -> Vec<String> {
    let failed = |step: &replay::Played| match &step.verdict {
        Verdict::Failed(differences) => Some(format!("{}: {}", step.request, differences[0])),
        _ => None,
    };
    played
        .iter()
        .flat_map(|scenario| scenario.steps.iter().filter_map(failed))
        .collect()
}

#[test]
fn what_was_recorded_fits_itself() {
    for name in [
        "discovery",
        "secrets-list",
        "secrets-read",
        "secret-consumers",
        "orders-asymmetric",
        "http",
    ] {
        let group = recorded(name);
        assert_eq!(
            failures(&replay(&group, &group, true, "")),
            Vec::<String>::new(),
            "{name}"
        );
    }
}

#[test]
fn one_changed_status_body_or_header_fails() {
    let group = recorded("secrets-read");
    let mut tried = [0; 3];
    for scenario in &group.scenarios {
        let whole = only(&group, scenario);
        for (at, step) in scenario
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| step.also.is_empty())
        {
            let headers = mutate::with_headers(step)
                .into_iter()
                .map(|(_, changed)| (2, changed));
            let body = mutate::with_body(step).map(|changed| (1, changed));
            let first_header = headers.take(1);
            for (kind, changed) in body
                .into_iter()
                .chain(first_header)
                .chain([(0, mutate::with_status(step))])
            {
                let mut altered = whole.clone();
                altered.scenarios[0].steps[at] = changed;
                let failed = failures(&replay(&whole, &altered, true, ""));
                assert!(
                    !failed.is_empty(),
                    "{} step {}: change {kind} went unnoticed",
                    scenario.name,
                    at + 1
                );
                tried[kind] += 1;
            }
        }
    }
    assert!(tried.iter().all(|count| *count > 20), "{tried:?}");
}

#[test]
fn the_check_after_a_green_run_notices_all_its_changes() {
    let group = recorded("secrets-create");
    let played = replay(&group, &group, true, "");
    let mut check = mutate::Check::default();
    check.group(&group, &played);
    assert_eq!(check.unnoticed, Vec::<String>::new());
    assert!(
        check.statuses > 250 && check.bodies > 250 && check.headers > 250,
        "{check:?}"
    );
}

#[test]
fn a_recorded_5xx_fails_where_the_recording_names_something_better() {
    let group = recorded("secrets-create");
    let scenario = group
        .scenarios
        .iter()
        .find(|scenario| scenario.name == "transport-key-fields")
        .unwrap();
    let whole = only(&group, scenario);
    let failed = failures(&replay(&whole, &whole, false, ""));
    assert_eq!(failed.len(), 1, "{failed:?}");

    let mut better = whole.clone();
    better.scenarios[0].steps[1].response.status = 400;
    assert_eq!(
        failures(&replay(&better, &whole, false, "")),
        Vec::<String>::new()
    );
}

#[test]
fn an_exception_holds_only_where_it_is_needed() {
    let group = recorded("acls");
    let scenario = &group.scenarios[0];
    let whole = only(&group, scenario);
    let recorded = scenario.steps[0].response.status;
    let list = format!(
        "[[exception]]\ngroup = 'acls'\nscenario = '{}'\nstep = 1\nrecorded = {recorded}\nanswers = 409\n\
         reason = 'test'\nlets_in = true\n",
        scenario.name
    );
    assert!(
        !failures(&replay(&whole, &whole, false, &list)).is_empty(),
        "an entry that is not needed passed"
    );

    let mut other = whole.clone();
    other.scenarios[0].steps[0].response.status = 409;
    let played = replay(&other, &whole, false, &list);
    assert!(matches!(played[0].steps[0].verdict, Verdict::Excepted));
    // The first step made the secret that the others need.
    assert!(matches!(played[0].steps[1].verdict, Verdict::NotNeeded));
    assert!(
        !failures(&replay(&other, &whole, false, "")).is_empty(),
        "the difference passed without an entry"
    );
}

#[test]
fn what_a_step_that_is_not_sent_would_have_made_is_not_needed_either() {
    let group = recorded("orders-key");
    let named = |scenario: &&Scenario| scenario.name == "creator-in-meta";
    let whole = only(&group, group.scenarios.iter().find(named).unwrap());
    let list = "[[exception]]\ngroup = 'orders-key'\nscenario = 'creator-in-meta'\nstep = 1\nrecorded = 202\n\
                answers = 400\nreason = 'test'\nlets_in = true\n";
    let mut other = whole.clone();
    other.scenarios[0].steps[0].response.status = 400;
    let played = replay(&other, &whole, false, list);
    let steps = &played[0].steps;
    assert!(matches!(steps[0].verdict, Verdict::Excepted));
    // The order, and the secret whose id the order tells.
    assert!(
        steps[1..]
            .iter()
            .all(|step| matches!(step.verdict, Verdict::NotNeeded))
    );
    assert_eq!(steps.len(), 3);
}
