//! Log-ins, namespaces and TLS at a real OpenBao.

#![expect(
    clippy::unwrap_used,
    reason = "a test that fails where something is lacking"
)]

mod bao;

use std::{
    fmt::Write, fs::Permissions, net::IpAddr, os::unix::fs::PermissionsExt, path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use donjon_vault_client::{Call, Login, ServerConfig, TlsFiles, VaultClient, VaultError};
use http::{Method, StatusCode};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};
use tempfile::TempDir;

use self::bao::{Bao, free_port, secret, text, token};

const POLICY: &str = "path \"secret/data/a\" { capabilities = [\"read\"] }";

fn call() -> Call {
    Call {
        method: Method::GET,
        resource: "/v1/secret/data/a".to_owned(),
        body: Bytes::new(),
        answer_bytes_max: 10_000,
    }
}

fn read(bao: &Bao, client: &VaultClient) -> Result<(), VaultError> {
    let answer = bao.runtime.block_on(client.ask(&call()))?;
    answer.good().map(drop)
}

fn written() -> Bao {
    let bao = Bao::start(None);
    bao.admin(None, "secret/data/a", r#"{"data":{"x":"y"}}"#);
    bao
}

fn pause(bao: &Bao, ms: u64) {
    let pause = Duration::from_millis(ms);
    bao.runtime
        .block_on(async { tokio::time::sleep(pause).await });
}

/// Two seconds for a token, four for all renewals: renewed, replaced, and
/// replaced after somebody revoked it.
#[test]
#[ignore = "needs OpenBao: cargo xtask conformance openbao"]
fn an_app_role_with_short_tokens_is_let_in_all_the_time() {
    let bao = written();
    let login = bao.app_role(POLICY, "2s", "4s");
    let client = VaultClient::new(bao.config(login)).unwrap();
    read(&bao, &client).unwrap();
    // Nobody asks for longer than a token lasts.
    pause(&bao, 3_000);
    read(&bao, &client).unwrap();
    for _ in 0..30 {
        pause(&bao, 200);
        read(&bao, &client).unwrap();
    }
    let accessors = bao.admin(None, "auth/token/accessors?list=true", "");
    let accessors = accessors.pointer("/data/keys").unwrap().as_array().unwrap();
    for accessor in accessors {
        let accessor = serde_json::json!({ "accessor": accessor });
        let found = bao.admin(None, "auth/token/lookup-accessor", &accessor.to_string());
        if text(&found, "/data/display_name") == "approle" {
            bao.admin(None, "auth/token/revoke-accessor", &accessor.to_string());
        }
    }
    read(&bao, &client).unwrap();
}

#[test]
#[ignore = "needs OpenBao: cargo xtask conformance openbao"]
fn wrong_log_ins_and_missing_rights_are_told_apart() {
    let bao = written();
    let elsewhere = POLICY.replace("data/a", "data/b");
    let right = bao.app_role(&elsewhere, "1h", "1h");
    let client = VaultClient::new(bao.config(right)).unwrap();
    let denied = read(&bao, &client).unwrap_err();
    assert!(matches!(denied, VaultError::Denied { .. }), "{denied:?}");
    let wrong_role = Login::AppRole {
        mount: "approle".to_owned(),
        role_id: "wrong".to_owned(),
        secret_id: secret("wrong"),
    };
    let wrong_mount = Login::AppRole {
        mount: "nowhere".to_owned(),
        role_id: "wrong".to_owned(),
        secret_id: secret("wrong"),
    };
    for login in [token("wrong"), wrong_role, wrong_mount] {
        let client = VaultClient::new(bao.config(login)).unwrap();
        let error = read(&bao, &client).unwrap_err();
        assert!(matches!(error, VaultError::LogIn { .. }), "{error:?}");
        assert!(!error.is_outage());
    }
}

#[test]
#[ignore = "needs OpenBao: cargo xtask conformance openbao"]
fn a_namespace_has_engines_and_tokens_of_its_own() {
    let bao = written();
    bao.admin(None, "sys/namespaces/team", "{}");
    let inside = Some("team");
    let kv = r#"{"type":"kv","options":{"version":"2"}}"#;
    bao.admin(inside, "sys/mounts/secret", kv);
    pause(&bao, 1_000);
    bao.admin(inside, "secret/data/a", r#"{"data":{"x":"inside"}}"#);
    let policy = serde_json::json!({ "policy": POLICY });
    bao.admin(inside, "sys/policies/acl/app", &policy.to_string());
    let made = bao.admin(inside, "auth/token/create", r#"{"policies":["app"]}"#);
    let made = text(&made, "/auth/client_token");
    let of = |namespace: Option<&str>| {
        let mut config = bao.config(token(&made));
        config.namespace = namespace.map(str::to_owned);
        VaultClient::new(config).unwrap()
    };
    read(&bao, &of(inside)).unwrap();
    let outside = read(&bao, &of(None)).unwrap_err();
    assert_eq!(
        outside.refusal(),
        Some(StatusCode::FORBIDDEN),
        "{outside:?}"
    );
    let nowhere = read(&bao, &of(Some("nowhere"))).unwrap_err();
    assert!(matches!(nowhere, VaultError::LogIn { .. }), "{nowhere:?}");
}

/// A listener with a certificate of a private authority, which wants one of the
/// same from whoever calls.
#[test]
#[ignore = "needs OpenBao: cargo xtask conformance openbao"]
fn tls_is_believed_by_its_authority_and_shows_a_certificate() {
    let authority = Authority::new("one");
    let port = free_port();
    let mut listener = format!("listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n");
    for (key, file) in [
        ("tls_cert_file", "server.pem"),
        ("tls_key_file", "server.key"),
        ("tls_client_ca_file", "ca.pem"),
    ] {
        writeln!(listener, "  {key} = {:?}", authority.path(file)).unwrap();
    }
    listener.push_str("  tls_require_and_verify_client_cert = true\n}\n");
    let config = authority.path("bao.hcl");
    std::fs::write(&config, listener).unwrap();
    let bao = Bao::start(Some(&config));
    bao.admin(None, "secret/data/a", r#"{"data":{"x":"y"}}"#);
    let url = format!("https://127.0.0.1:{port}");
    let of = |tls: TlsFiles| {
        let config = ServerConfig {
            url: url.clone(),
            tls,
            ..bao.config(token("root"))
        };
        VaultClient::new(config).unwrap()
    };
    let good = TlsFiles {
        cafile: Some(authority.path("ca.pem")),
        certfile: Some(authority.path("server.pem")),
        keyfile: Some(authority.path("server.key")),
    };
    read(&bao, &of(good.clone())).unwrap();
    let stranger = Authority::new("two");
    for bad in [
        TlsFiles {
            cafile: Some(stranger.path("ca.pem")),
            ..good.clone()
        },
        TlsFiles {
            certfile: Some(stranger.path("server.pem")),
            keyfile: Some(stranger.path("server.key")),
            ..good.clone()
        },
        TlsFiles {
            certfile: None,
            keyfile: None,
            ..good
        },
    ] {
        let error = read(&bao, &of(bad)).unwrap_err();
        assert!(matches!(error, VaultError::Unreachable { .. }), "{error:?}");
    }
}

struct Authority {
    folder: TempDir,
}

impl Authority {
    /// Writes `ca.pem`, and `server.pem` and `server.key`, which it signed.
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let name_type = rcgen::DnType::CommonName;
        params.distinguished_name.push(name_type, name);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(authority.path("ca.pem"), issuer.pem()).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let loopback = IpAddr::from([127, 0, 0, 1]);
        params.subject_alt_names.push(SanType::IpAddress(loopback));
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(authority.path("server.pem"), signed.pem()).unwrap();
        let path = authority.path("server.key");
        std::fs::write(&path, key.serialize_pem()).unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
