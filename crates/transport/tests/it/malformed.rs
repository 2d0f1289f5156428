//! The corpus in `tests/data/malformed`, see the README there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use donjon_transport::Limits;

use crate::support::{Answer, Raw, TestServer, get};

pub(crate) struct Case {
    pub(crate) name: String,
    expect: String,
    pub(crate) bytes: Vec<u8>,
}

#[tokio::test]
async fn every_case_is_answered_as_expected() {
    let limits = Limits {
        linger: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = TestServer::start(limits).await;
    let cases = cases();
    assert!(cases.len() > 90, "{}", cases.len());
    let mut failures = Vec::new();
    for case in &cases {
        let mut raw = server.connect().await;
        raw.send(&case.bytes).await;
        let got = outcome(&mut raw).await;
        if got != case.expect {
            failures.push(format!(
                "{}: expected {}, got {got}",
                case.name, case.expect
            ));
        }
        assert_eq!(server.get("/").await.status, 200, "after {}", case.name);
        assert_eq!(server.meter.panics(), 0, "{}", case.name);
        assert!(
            server.service.canaries.lock().unwrap().is_empty(),
            "{} smuggled",
            case.name
        );
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Splitting the bytes anywhere must not change what they mean.
#[tokio::test]
async fn cases_mean_the_same_byte_by_byte() {
    let limits = Limits {
        linger: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = TestServer::start(limits).await;
    // The preface of HTTP/2 is only known as a whole; its first line alone is an unknown version.
    let is_apt = |case: &&Case| case.bytes.len() < 120 && case.name != "http 2 preface";
    for case in cases().iter().filter(is_apt) {
        let mut raw = server.connect().await;
        raw.stream.set_nodelay(true).unwrap();
        for byte in &case.bytes {
            raw.send([*byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(outcome(&mut raw).await, case.expect, "{}", case.name);
    }
    assert_eq!(server.meter.panics(), 0);
}

/// What the client got, in the words of `expect:`.
async fn outcome(raw: &mut Raw) -> String {
    let Some(answer) = raw.answer().await else {
        return "closed".to_owned();
    };
    if answer.header("x-served").is_some() && answer.header("connection") != Some("close") {
        raw.send(get("/probe")).await;
        let then = match raw.answer().await {
            Some(probe) if probe.text() == "GET /probe" => String::new(),
            Some(probe) if probe.header("x-refused").is_some() => {
                format!(", then {}", kind_of(&probe))
            }
            _ => " close".to_owned(),
        };
        return format!("served {}{then}", answer.status);
    }
    let rest = raw.rest(Duration::from_secs(2)).await;
    assert_eq!(
        rest.as_deref(),
        Some(&b""[..]),
        "not closed after {answer:?}"
    );
    kind_of(&answer)
}

fn kind_of(answer: &Answer) -> String {
    match (answer.header("x-served"), answer.header("x-refused")) {
        (Some(_), _) => format!("served {} close", answer.status),
        (_, Some(why)) => format!("refused {} {why}", answer.status),
        (None, None) => {
            assert_eq!(answer.header("content-length"), Some("0"));
            format!("bare {}", answer.status)
        }
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/malformed");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let is_data = |path: &Path| path.extension().is_some_and(|extension| extension == "txt");
    let files = files.into_iter().filter(|path| is_data(path));
    files
        .flat_map(|path| parse(&fs::read_to_string(path).unwrap()))
        .collect()
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case {
                name: name.to_owned(),
                expect: String::new(),
                bytes: Vec::new(),
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        match line.strip_prefix("expect: ") {
            Some(expect) => case.expect = expect.to_owned(),
            None => case.bytes.extend(unescape(line)),
        }
    }
    cases
}

fn unescape(line: &str) -> Vec<u8> {
    if let Some((before, rest)) = line.split_once('{')
        && let Some((repeated, after)) = rest.split_once('}')
        && let Some((unit, times)) = repeated.rsplit_once('*')
    {
        let repeated = unescape(unit).repeat(times.parse().unwrap());
        return [unescape(before), repeated, unescape(after)].concat();
    }
    let mut bytes = Vec::new();
    let mut rest = line.chars();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            bytes.extend(letter.to_string().as_bytes());
            continue;
        }
        bytes.push(match rest.next().unwrap() {
            'r' => b'\r',
            'n' => b'\n',
            't' => b'\t',
            '0' => 0,
            '\\' => b'\\',
            'x' => {
                let digits: String = rest.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16).unwrap()
            }
            other => panic!("unknown escape \\{other}"),
        });
    }
    bytes
}
