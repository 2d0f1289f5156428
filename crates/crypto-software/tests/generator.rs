//! What the generator makes, as OpenSSL sees it: an independent reader that
//! opens each key, does its own checks, and uses both halves together. The
//! command `openssl` (3.0 or later) has to be installed.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::Arc,
};

use donjon_crypto_software::SoftwareGenerator;
use donjon_domain::{
    KeySpec, SecretBytes,
    ports::{Entropy, Generated, GenerationRequest, KeyGenerator, KeyPair},
};
use donjon_testkit::{contract::key_generator::KeyGeneratorCase, sample::key_spec};
use tempfile::TempDir;

struct Case(SoftwareGenerator);

impl KeyGeneratorCase for Case {
    fn generator(&self) -> &dyn KeyGenerator {
        &self.0
    }

    fn symmetric(&self) -> Vec<KeySpec> {
        vec![
            key_spec("aes", 256),
            key_spec("des", 64),
            key_spec("3des", 192),
            key_spec("desede", 112),
            key_spec("hmacsha512", 512),
        ]
    }

    /// All but DSA, which is in DER.
    fn key_pairs(&self) -> Vec<KeySpec> {
        vec![
            key_spec("rsa", 1_024),
            key_spec("ec", 256),
            key_spec("ed25519", 256),
        ]
    }
}

donjon_testkit::key_generator_contract!(Box::new(Case(generator())));

#[test]
fn openssl_accepts_rsa() {
    for bits in [1_024, 2_048, 3_072, 4_096] {
        let shown = format!("Private-Key: ({bits} bit, 2 primes)");
        Pair::make("rsa", bits, None).check(&shown);
    }
}

#[test]
fn openssl_accepts_curves() {
    for (bits, curve) in [(256, "P-256"), (384, "P-384"), (521, "P-521")] {
        let shown = format!("NIST CURVE: {curve}");
        Pair::make("ec", bits, None).check(&shown);
    }
    Pair::make("ed25519", 256, None).check("ED25519 Private-Key:");
}

#[test]
fn openssl_accepts_dsa() {
    for bits in [1_024, 2_048] {
        check_dsa(bits);
    }
}

/// Large primes take their time; a test each lets them run side by side.
#[test]
fn openssl_accepts_dsa_3072() {
    check_dsa(3_072);
}

#[test]
fn openssl_accepts_dsa_4096() {
    check_dsa(4_096);
}

fn check_dsa(bits: i64) {
    let pair = Pair::make("dsa", bits, None);
    pair.check(&format!("Private-Key: ({bits} bit)"));
    // Whether p and q are primes, and g a generator.
    pair.openssl(&["pkey", "-inform", "DER", "-in", "private", "-check"]);
    let q = if bits == 1_024 { 20 } else { 32 };
    let parameters = pair.openssl(&[
        "pkey", "-inform", "DER", "-in", "private", "-text", "-noout",
    ]);
    assert_eq!(
        pair.openssl(&["version"]).split(' ').next(),
        Some("OpenSSL")
    );
    assert_eq!(hex_bytes(&parameters, "Q:"), q, "{parameters}");
}

/// How many bytes stand behind this title, without a leading 0.
fn hex_bytes(text: &str, title: &str) -> usize {
    let lines = text.lines().skip_while(|line| line.trim() != title).skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    let hex: String = lines.map(str::trim).collect();
    let bytes: Vec<&str> = hex.split(':').filter(|byte| !byte.is_empty()).collect();
    bytes.len() - usize::from(bytes.first() == Some(&"00"))
}

#[test]
fn openssl_opens_with_the_passphrase_alone() {
    for (algorithm, bits, shown) in [
        ("rsa", 2_048, "Private-Key: (2048 bit, 2 primes)"),
        ("dsa", 1_024, "Private-Key: (1024 bit)"),
        ("ec", 256, "NIST CURVE: P-256"),
        ("ec", 384, "NIST CURVE: P-384"),
        ("ec", 521, "NIST CURVE: P-521"),
        ("ed25519", 256, "ED25519 Private-Key:"),
    ] {
        let pair = Pair::make(algorithm, bits, Some("correct horse"));
        pair.check(shown);
        for wrong in ["correct hors", "Correct horse", "x"] {
            pair.check_refuses(wrong);
        }
    }
}

#[test]
fn openssl_opens_with_odd_passphrases() {
    let long = "x".repeat(500);
    for passphrase in ["1", " ", "ключ \u{1f511}", "a\"b'c\\d$(e)", &long] {
        let pair = Pair::make("ec", 256, Some(passphrase));
        pair.check("NIST CURVE: P-256");
        pair.check_refuses("another");
    }
}

#[test]
fn the_encryption_is_pbes2() {
    let pair = Pair::make("ec", 256, Some("correct horse"));
    let shown = pair.openssl(&["asn1parse", "-in", "private"]);
    for part in [
        "PBES2",
        "PBKDF2",
        ":hmacWithSHA256",
        ":aes-256-cbc",
        ":0927C0",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn salts_are_new_each_time() {
    let parse = |pair: &Pair| {
        let shown = pair.openssl(&["asn1parse", "-in", "private"]);
        let octets = shown.lines().filter(|line| line.contains("OCTET STRING"));
        octets
            .take(2)
            .map(|line| line.rsplit(':').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let one = parse(&Pair::make("ec", 256, Some("correct horse")));
    let two = parse(&Pair::make("ec", 256, Some("correct horse")));
    assert_eq!((one.len(), two.len()), (2, 2));
    assert!(one.iter().zip(&two).all(|(one, two)| one != two));
    assert!(one.iter().chain(&two).all(|octets| octets.len() == 32));
}

/// A pair in two files of a folder, and its passphrase in a third.
struct Pair {
    folder: TempDir,
    der: bool,
    encrypted: bool,
}

impl Pair {
    fn make(algorithm: &str, bits: i64, passphrase: Option<&str>) -> Self {
        let pair = key_pair(&key_spec(algorithm, bits), passphrase);
        let folder = TempDir::new().expect("a folder");
        let der = algorithm == "dsa";
        let made = Self {
            folder,
            der,
            encrypted: passphrase.is_some(),
        };
        let label = if der {
            None
        } else if made.encrypted {
            Some(&b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"[..])
        } else {
            Some(&b"-----BEGIN PRIVATE KEY-----\n"[..])
        };
        let start = label.unwrap_or(b"\x30\x82");
        assert!(pair.private.expose().starts_with(start), "{algorithm}");
        made.write("private", pair.private.expose());
        made.write("public", pair.public.expose());
        made.write("passphrase", passphrase.unwrap_or_default().as_bytes());
        made.write("message", b"what is signed");
        made
    }

    /// Checks that OpenSSL reads the private key and shows this of it, finds
    /// nothing wrong with it, derives exactly the public key, and that a
    /// signature of the one is good for the other.
    fn check(&self, shown: &str) {
        let private = self.private("passphrase");
        let private: Vec<&str> = private.iter().map(String::as_str).collect();
        let text = self.openssl(&[&["pkey", "-text", "-noout"][..], &private].concat());
        assert!(text.contains(shown), "{shown} in {text}");

        let form = if self.der { "DER" } else { "PEM" };
        let out = ["pkey", "-pubout", "-outform", form, "-out", "derived"];
        self.openssl(&[&out[..], &private].concat());
        assert_eq!(self.read("derived"), self.read("public"));
        let checked = self.openssl(&[&["pkey", "-check", "-noout"][..], &private].concat());
        assert!(checked.contains("Key is valid"), "{checked}");

        self.openssl(&[
            "pkey",
            "-pubin",
            "-inform",
            form,
            "-in",
            "public",
            "-out",
            "public.pem",
            "-pubout",
        ]);
        self.openssl(&[&["pkey", "-out", "clear.pem"][..], &private].concat());
        let sign = [
            "pkeyutl",
            "-sign",
            "-rawin",
            "-in",
            "message",
            "-out",
            "signature",
            "-inkey",
            "clear.pem",
        ];
        self.openssl(&sign);
        let verify = [
            "pkeyutl",
            "-verify",
            "-rawin",
            "-sigfile",
            "signature",
            "-pubin",
            "-inkey",
            "public.pem",
            "-in",
        ];
        self.openssl(&[&verify[..], &["message"]].concat());
        self.write("other message", b"what is not signed");
        let refused = self.run(&[&verify[..], &["other message"]].concat());
        assert!(!refused.status.success());
    }

    fn check_refuses(&self, passphrase: &str) {
        self.write("wrong", passphrase.as_bytes());
        let private = self.private("wrong");
        let private: Vec<&str> = private.iter().map(String::as_str).collect();
        let output = self.run(&[&["pkey", "-out", "opened"][..], &private].concat());
        assert!(!output.status.success(), "{passphrase:?} opens the key");
        assert!(!self.path("opened").exists() || self.read("opened").is_empty());
    }

    /// Arguments that name the private key.
    fn private(&self, passphrase: &str) -> Vec<String> {
        let form = if self.der { "DER" } else { "PEM" };
        let mut arguments = vec!["-inform", form, "-in", "private"];
        let passin = format!("file:{passphrase}");
        if self.encrypted {
            arguments.extend(["-passin", &passin]);
        }
        arguments.into_iter().map(str::to_owned).collect()
    }

    fn openssl(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned() + &said
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("the command openssl is installed")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a file is written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("a file is read")
    }
}

fn key_pair(spec: &KeySpec, passphrase: Option<&str>) -> KeyPair {
    let passphrase = passphrase.map(|text| SecretBytes::new(text.as_bytes().to_vec()));
    match generator().generate(GenerationRequest::KeyPair(spec, passphrase.as_ref())) {
        Ok(Generated::KeyPair(pair)) => pair,
        other => panic!("{other:?}"),
    }
}

/// The real thing: keys of another seed each run.
fn generator() -> SoftwareGenerator {
    struct System;

    impl Entropy for System {
        fn fill(&self, bytes: &mut [u8]) {
            getrandom::fill(bytes).expect("random bytes");
        }
    }

    SoftwareGenerator::new(Arc::new(System))
}
