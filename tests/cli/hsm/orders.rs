//! What orders ask for, generated in the token.

use std::{
    io::{Read, Write},
    process::Stdio,
};

use super::{super::support::request, *};

impl HsmRig {
    /// With keys of the token in use, which makes keys too.
    fn that_generates() -> (Self, Server, String) {
        let rig = Self::new();
        let config = rig.configured();
        let text = format!("[orders]\ngenerate_in = \"hsm\"\nwait_ms = 15000\n\n{config}");
        rig.0.write("donjon.toml", &text, 0o600);
        rig.good(&["init", "--config", "donjon.toml"]);
        let token = rig.0.first_token();
        let server = rig.serve();
        (rig, server, token)
    }
}

/// Gives an order, and its path.
fn order(server: &Server, token: &str, kind: &str, meta: &str) -> String {
    let body = format!(r#"{{"type":"{kind}","meta":{meta}}}"#);
    let answer = server.with_token("POST", "/v1/orders", token, &body);
    assert_eq!(answer.status, 202, "{answer:?}");
    path_in(&answer.body, "order_ref").expect("a reference")
}

/// The path of what is referred to.
fn path_in(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("\"{name}\""))?;
    let (_, rest) = rest.split_once("/v1/")?;
    let (path, _) = rest.split_once('"')?;
    Some(format!("/v1/{path}"))
}

fn look(server: &Server, token: &str, path: &str) -> String {
    let answer = server.with_token("GET", path, token, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The order once it is carried out, which may be after its answer.
fn carried_out(server: &Server, token: &str, path: &str) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let body = look(server, token, path);
        if body.contains("\"ACTIVE\"") {
            return body;
        }
        assert!(body.contains("\"PENDING\""), "{body}");
        assert!(Instant::now() < until, "{}", server.log.join("\n"));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What the container refers to under this name.
fn entry(server: &Server, token: &str, container: &str, name: &str) -> String {
    let body = look(server, token, container);
    let secrets = body
        .split('{')
        .find(|part| part.contains(&format!("\"{name}\"")));
    let path = path_in(secrets.expect("such an entry"), "secret_ref").expect("a reference");
    server.read(token, &path).body
}

/// How long a payload is that is no text.
fn payload_bytes(server: &Server, token: &str, secret: &str) -> usize {
    let headers = [
        ("X-Auth-Token", token),
        ("Accept", "application/octet-stream"),
    ];
    let mut stream = server.connect();
    let request = request("GET", &format!("{secret}/payload"), &headers, "");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    let body = answer.windows(4).position(|part| part == b"\r\n\r\n");
    answer.len() - body.unwrap() - 4
}

/// What `openssl pkey` makes of a private key.
fn openssl(private: &str, args: &[&str]) -> String {
    let mut child = Command::new("openssl")
        .arg("pkey")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(private.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn orders_are_generated_in_the_token() {
    let (_rig, mut server, token) = HsmRig::that_generates();
    let told = "generated in the HSM: symmetric keys, rsa, ec; all else in software";
    assert!(server.log.join("\n").contains(told), "{:?}", server.log);
    let aes = r#"{"name":"k","algorithm":"aes","bit_length":256,"mode":"cbc"}"#;
    let body = carried_out(&server, &token, &order(&server, &token, "key", aes));
    let secret = path_in(&body, "secret_ref").unwrap();
    assert_eq!(payload_bytes(&server, &token, &secret), 32);
    for (algorithm, bits, shown) in [
        ("rsa", 2_048, "2048 bit, 2 primes"),
        ("ec", 384, "NIST CURVE: P-384"),
        ("ed25519", 256, "ED25519"),
    ] {
        for passphrase in [None, Some("correct horse")] {
            let more = passphrase.map(|text| format!(r#","passphrase":"{text}""#));
            let meta = format!(
                r#"{{"name":"k","algorithm":"{algorithm}","bit_length":{bits}{}}}"#,
                more.unwrap_or_default()
            );
            let path = order(&server, &token, "asymmetric", &meta);
            let body = carried_out(&server, &token, &path);
            let container = path_in(&body, "container_ref").unwrap();
            let private = entry(&server, &token, &container, "private_key");
            let public = entry(&server, &token, &container, "public_key");
            let pass = format!("pass:{}", passphrase.unwrap_or("none"));
            let text = openssl(&private, &["-passin", &pass, "-check", "-text", "-noout"]);
            assert!(text.contains(shown), "{text}");
            assert_eq!(openssl(&private, &["-passin", &pass, "-pubout"]), public);
        }
    }
    assert_eq!(server.stop(), Some(0));
}

/// What the token makes is made by nobody else.
#[test]
fn orders_wait_for_a_token_that_is_away() {
    let (rig, mut server, token) = HsmRig::that_generates();
    let args = ["token", "create", "--project", "new", "--role", "member"];
    let made = rig.good(&[&args[..], &["--config", "donjon.toml"]].concat());
    let stranger = made.stdout.trim().to_owned();
    // Its project has a key from here on.
    server.store(&token, "known");
    let (here, away) = rig.tokens();
    fs::rename(&here, &away).unwrap();
    // Somebody who needs the token finds out that it is away.
    let body = r#"{"payload":"p","payload_content_type":"text/plain"}"#;
    let answer = server.with_token("POST", "/v1/secrets", &stranger, body);
    assert_eq!(answer.status, 503, "{answer:?}");
    let aes = r#"{"name":"k","algorithm":"aes","bit_length":256}"#;
    let path = order(&server, &token, "key", aes);
    let body = look(&server, &token, &path);
    assert!(body.contains("\"PENDING\""), "{body}");
    let ed = r#"{"name":"k","algorithm":"ed25519","bit_length":256}"#;
    let software = look(&server, &token, &order(&server, &token, "asymmetric", ed));
    assert!(software.contains("\"ACTIVE\""), "{software}");
    fs::rename(&away, &here).unwrap();
    carried_out(&server, &token, &path);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_token_that_is_not_named_generates_nothing() {
    let rig = HsmRig::new();
    rig.refused(
        "[orders]\ngenerate_in = \"hsm\"\n",
        2,
        &["orders.generate_in", "pkcs11.library_path", "hsm doctor"],
    );
    rig.refused(
        "[orders]\ngenerate_in = \"tpm\"\n",
        2,
        &["orders.generate_in", "has to be software or hsm"],
    );
    let module = module();
    let other = format!(
        "[orders]\ngenerate_in = \"hsm\"\n[pkcs11]\nlibrary_path = \"{}\"\ntoken_labels = [\"other\"]\n\
         login_from = \"file:pin\"\n",
        module.display()
    );
    rig.refused(&other, 3, &["labelled other", "\"donjon\" in slot"]);
    // A root key elsewhere is no obstacle.
    let good = other.replace("\"other\"", "\"donjon\"");
    rig.0.write("donjon.toml", &good, 0o600);
    let mut server = rig.serve();
    let log = server.log.join("\n");
    assert!(log.contains("generated in the HSM"), "{log}");
    assert_eq!(server.stop(), Some(0));
}
