//! The frozen envelopes of `tests/data/envelope-v1.json`.
//!
//! Three facts: every envelope in the file opens, or is refused, as the file says, from nothing but the file; the code
//! seals the same inputs to the same bytes today; and nobody has touched the file. No test writes to it. To start the
//! file of a new format, run the tests: [`file_is_what_the_generator_makes`] leaves its text in cargo's temporary folder
//! and says where.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics when it fails"
)]

use std::{fs, path::Path};

use donjon_envelope::{Context, Key, Kind, OpenError, Padding, RANDOM_BYTES, kek_id, open, seal};
use serde_json::Value;
use sha2::{Digest, Sha256};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/envelope-v1.json");

/// SHA-256 of the file, so that a change of code and file together is still seen.
const FILE_SHA256: &str = "377979b1a7f23c00c6819f669e227891b50fa6e6a648416971e67ab81a1162b1";

// === what the file says ===

/// One line of the file, all byte strings out of their hex.
struct Line {
    name: String,
    opens: bool,
    key: Key,
    kek_id: [u8; 16],
    deployment: Vec<u8>,
    project: Vec<u8>,
    object: Vec<u8>,
    kind: Kind,
    version: u32,
    random: [u8; RANDOM_BYTES],
    padding: Padding,
    plain: Vec<u8>,
    envelope: Vec<u8>,
}

impl Line {
    fn read(value: &Value) -> Self {
        let text = |field: &str| value[field].as_str().unwrap().to_owned();
        let bytes = |field: &str| unhex(value[field].as_str().unwrap());
        Self {
            name: text("name"),
            opens: match &*text("outcome") {
                "opens" => true,
                "refused" => false,
                other => panic!("outcome {other}"),
            },
            key: Key::try_from(&*bytes("key")).unwrap(),
            kek_id: bytes("kek_id").try_into().unwrap(),
            deployment: bytes("deployment"),
            project: bytes("project"),
            object: bytes("object"),
            kind: KINDS
                .into_iter()
                .find(|kind| kind.as_str() == text("kind"))
                .unwrap(),
            version: value["version"].as_u64().unwrap().try_into().unwrap(),
            random: bytes("random").try_into().unwrap(),
            padding: match &*text("padding") {
                "blocks64" => Padding::Blocks64,
                "none" => Padding::None,
                other => panic!("padding {other}"),
            },
            plain: bytes("plain"),
            envelope: bytes("envelope"),
        }
    }

    fn context(&self) -> Context<'_> {
        let Self {
            deployment,
            project,
            object,
            kind,
            version,
            ..
        } = self;
        Context {
            deployment,
            project,
            object,
            kind: *kind,
            version: *version,
        }
    }
}

fn lines() -> Vec<Line> {
    let file: Value = serde_json::from_str(&fs::read_to_string(FILE).unwrap()).unwrap();
    file.as_array().unwrap().iter().map(Line::read).collect()
}

#[test]
fn every_envelope_opens_or_is_refused_as_the_file_says() {
    let (mut opened, mut refused) = (0, 0);
    for line in lines() {
        let outcome = open(&line.key, &line.context(), &line.envelope);
        if line.opens {
            assert_eq!(*outcome.unwrap(), line.plain, "{}", line.name);
            assert_eq!(kek_id(&line.envelope), Ok(line.kek_id), "{}", line.name);
            opened += 1;
        } else {
            assert_eq!(outcome, Err(OpenError), "{}", line.name);
            refused += 1;
        }
    }
    assert_eq!((opened, refused), (79, 34));
}

#[test]
fn every_envelope_is_sealed_to_the_same_bytes() {
    for line in lines().iter().filter(|line| line.opens) {
        let Line {
            key,
            kek_id,
            plain,
            random,
            padding,
            envelope,
            name,
            ..
        } = line;
        assert_eq!(
            &seal(key, *kek_id, &line.context(), plain, random, *padding).unwrap(),
            envelope,
            "{name}"
        );
    }
}

#[test]
fn file_is_frozen() {
    assert_eq!(hex(&Sha256::digest(fs::read(FILE).unwrap())), FILE_SHA256);
}

#[test]
fn file_is_what_the_generator_makes() {
    let made = file_text(&cases());
    let kept = fs::read_to_string(FILE).unwrap_or_default();
    if made != kept {
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("envelope-v1.json");
        fs::write(&copy, made).unwrap();
        panic!(
            "{FILE} is not what the generator makes, which is in {}",
            copy.display()
        );
    }
}

// === the generator ===

/// One line to be written.
#[derive(Clone)]
struct Case {
    name: String,
    opens: bool,
    key: [u8; 32],
    kek_id: [u8; 16],
    deployment: Vec<u8>,
    project: Vec<u8>,
    object: Vec<u8>,
    kind: Kind,
    version: u32,
    random: [u8; RANDOM_BYTES],
    padding: Padding,
    plain: Vec<u8>,
    envelope: Vec<u8>,
}

const KINDS: [Kind; 6] = [
    Kind::Payload,
    Kind::Private,
    Kind::Public,
    Kind::Passphrase,
    Kind::Kek,
    Kind::Canary,
];
const PADDINGS: [Padding; 2] = [Padding::Blocks64, Padding::None];

fn cases() -> Vec<Case> {
    let mut cases = good_cases();
    cases.extend(refused_cases());
    cases
}

fn good_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for bytes in [
        0, 1, 15, 16, 31, 32, 33, 48, 59, 60, 61, 63, 64, 65, 100, 123, 124, 125, 128, 255, 256,
        257, 500, 1000,
    ] {
        for padding in PADDINGS {
            cases.push(case(
                &format!("{bytes} bytes, {}", padding_text(padding)),
                bytes,
                padding,
                |_| (),
            ));
        }
    }
    for kind in KINDS {
        for padding in PADDINGS {
            let name = format!("kind {}, {}", kind.as_str(), padding_text(padding));
            cases.push(case(&name, 32, padding, |case| case.kind = kind));
        }
    }
    for version in [0, 2, 256, 0x0102_0304, u32::MAX] {
        cases.push(case(
            &format!("version {version}"),
            32,
            Padding::Blocks64,
            |case| case.version = version,
        ));
    }
    for (name, change) in CONTEXTS {
        cases.push(case(name, 32, Padding::Blocks64, *change));
    }
    for byte in [0, 0xff] {
        cases.push(case(
            &format!("all inputs {byte:02x}"),
            0,
            Padding::None,
            |case| {
                (case.key, case.kek_id, case.random, case.plain) =
                    ([byte; 32], [byte; 16], [byte; 56], vec![byte; 64]);
            },
        ));
    }
    cases.push(case("4096 bytes of zero", 0, Padding::Blocks64, |case| {
        case.plain = vec![0; 4096]
    }));
    cases.push(case("20000 bytes", 20_000, Padding::Blocks64, |_| ()));
    cases
}

/// A change to a case before it is sealed.
type Change = fn(&mut Case);

const CONTEXTS: &[(&str, Change)] = &[
    ("context empty", |case| {
        (case.deployment, case.project, case.object) = (vec![], vec![], vec![]);
    }),
    ("deployment empty", |case| case.deployment.clear()),
    ("project empty", |case| case.project.clear()),
    ("object empty", |case| case.object.clear()),
    ("project of 255 bytes", |case| {
        case.project = b"p".repeat(255)
    }),
    ("project not ASCII", |case| {
        case.project = "Bürgermeister ✓".into()
    }),
    ("fields of all bytes", |case| {
        case.deployment = (0..=255).collect();
        case.object = (0..=255).rev().collect();
    }),
    ("a field that looks like two", |case| {
        case.project = b"a\0\0\0\x01b".to_vec()
    }),
    ("ids as raw bytes", |case| {
        (case.deployment, case.project, case.object) =
            (stream("d", 16), stream("p", 16), stream("o", 16));
    }),
    ("fields of 4000 bytes", |case| {
        (case.deployment, case.project, case.object) =
            (b"d".repeat(4000), b"p".repeat(4000), b"o".repeat(4000));
    }),
];

/// A good envelope, and then one thing wrong with it.
fn refused_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut refused = |name: &str, padding, change: &dyn Fn(&mut Case)| {
        let mut case = case(name, 32, padding, |_| ());
        case.opens = false;
        change(&mut case);
        cases.push(case);
    };
    for (name, at, mask) in [
        ("magic", 0, 1),
        ("magic", 1, 0x20),
        ("version 0", 2, 1),
        ("version 2", 2, 3),
        ("suite 0", 3, 1),
        ("suite 2", 3, 3),
        ("suite 16", 3, 0x11),
        ("padding flag off", 4, 1),
        ("flag bit 1", 4, 2),
        ("flag bit 7", 4, 0x80),
        ("reserved", 5, 1),
        ("reserved", 7, 0x80),
        ("kek_id", 8, 1),
        ("salt", 24, 1),
        ("nonce", 56, 1),
        ("commitment", 80, 1),
        ("commitment, last bit", 111, 1),
        ("ciphertext", 112, 1),
        ("ciphertext, last bit", 175, 1),
        ("tag", 176, 1),
        ("tag, last bit", 191, 1),
    ] {
        let name = format!("changed {name} at {at}");
        refused(&name, Padding::Blocks64, &|case: &mut Case| {
            case.envelope[at] ^= mask
        });
    }
    refused("padding flag on", Padding::None, &|case: &mut Case| {
        case.envelope[4] = 1
    });
    for bytes in [0, 1, 112, 127, 128, 191] {
        let name = format!("cut to {bytes} bytes");
        refused(&name, Padding::Blocks64, &|case: &mut Case| {
            case.envelope.truncate(bytes)
        });
    }
    refused(
        "another deployment",
        Padding::Blocks64,
        &|case: &mut Case| case.deployment = b"other".to_vec(),
    );
    refused("another project", Padding::Blocks64, &|case: &mut Case| {
        case.project = b"other".to_vec()
    });
    refused("another object", Padding::Blocks64, &|case: &mut Case| {
        case.object = b"other".to_vec()
    });
    refused("another kind", Padding::Blocks64, &|case: &mut Case| {
        case.kind = Kind::Private
    });
    refused("another version", Padding::Blocks64, &|case: &mut Case| {
        case.version = 2
    });
    refused("another key", Padding::Blocks64, &|case: &mut Case| {
        case.key = array("another key")
    });
    cases
}

/// A case with inputs that depend on its name alone, changed, then sealed.
fn case(name: &str, plain_bytes: usize, padding: Padding, change: impl Fn(&mut Case)) -> Case {
    let mut case = Case {
        name: name.to_owned(),
        opens: true,
        key: array(&format!("{name}/key")),
        kek_id: array(&format!("{name}/kek_id")),
        deployment: b"3f0c7d1e-5a11-4b52-8a27-6d3c2e8f9b10".to_vec(),
        project: b"0f9c2a7b4d6e4f1a8b3c5d7e9f012345".to_vec(),
        object: b"0b2f6a52-7d0e-4a57-9a0c-2f4d7f0f4a11".to_vec(),
        kind: Kind::Payload,
        version: 1,
        random: array(&format!("{name}/random")),
        padding,
        plain: stream(&format!("{name}/plain"), plain_bytes),
        envelope: vec![],
    };
    change(&mut case);
    let Case {
        deployment,
        project,
        object,
        kind,
        version,
        ..
    } = &case;
    let context = Context {
        deployment,
        project,
        object,
        kind: *kind,
        version: *version,
    };
    case.envelope = seal(
        &Key::from(&case.key),
        case.kek_id,
        &context,
        &case.plain,
        &case.random,
        case.padding,
    )
    .unwrap();
    case
}

/// `SHA-256(label || 0) || SHA-256(label || 1) || ...`, the counter in four big-endian bytes.
fn stream(label: &str, length: usize) -> Vec<u8> {
    let block = |counter: u32| {
        Sha256::new()
            .chain_update(label)
            .chain_update(counter.to_be_bytes())
            .finalize()
    };
    (0..).flat_map(block).take(length).collect()
}

fn array<const N: usize>(label: &str) -> [u8; N] {
    stream(label, N).try_into().unwrap()
}

/// One case a line, fields in this order. Written by hand: the order must not depend on features of a JSON library.
fn file_text(cases: &[Case]) -> String {
    let lines: Vec<String> = cases.iter().map(line_text).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn line_text(case: &Case) -> String {
    let fields = [
        ("name", case.name.clone()),
        (
            "outcome",
            (if case.opens { "opens" } else { "refused" }).to_owned(),
        ),
        ("key", hex(&case.key)),
        ("kek_id", hex(&case.kek_id)),
        ("deployment", hex(&case.deployment)),
        ("project", hex(&case.project)),
        ("object", hex(&case.object)),
        ("kind", case.kind.as_str().to_owned()),
        ("random", hex(&case.random)),
        ("padding", padding_text(case.padding).to_owned()),
        ("plain", hex(&case.plain)),
        ("envelope", hex(&case.envelope)),
    ];
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, text)| format!("\"{name}\":\"{text}\""))
        .collect();
    format!("{{\"version\":{},{}}}", case.version, fields.join(","))
}

fn padding_text(padding: Padding) -> &'static str {
    match padding {
        Padding::Blocks64 => "blocks64",
        Padding::None => "none",
    }
}

// === hex ===

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2) && text.is_ascii(), "{text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
