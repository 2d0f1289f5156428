//! Log-ins, renewals and outages, against a server that does as it is told.

#![expect(
    clippy::unwrap_used,
    reason = "a test that fails where something is lacking"
)]

mod fake;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use donjon_domain::SecretBytes;
use donjon_vault_client::{
    Call, Login, SecretSource, ServerConfig, SetupError, TlsFiles, VaultClient, VaultError,
};
use http::{Method, StatusCode};
use tokio::time::sleep;

use self::fake::{Fake, Request, Response, errors};

fn secret(text: &str) -> SecretSource {
    SecretSource::given(Arc::new(SecretBytes::new(text.as_bytes().to_vec())))
}

fn app_role() -> Login {
    Login::AppRole {
        mount: "approle".to_owned(),
        role_id: "role".to_owned(),
        secret_id: secret("hush"),
    }
}

fn client_with(url: &str, login: Login, namespace: Option<&str>) -> VaultClient {
    VaultClient::new(ServerConfig {
        url: url.to_owned(),
        namespace: namespace.map(str::to_owned),
        login,
        tls: TlsFiles::default(),
        patience: Duration::from_millis(800),
        rest: Duration::from_millis(300),
    })
    .unwrap()
}

fn client(fake: &Fake, login: Login) -> VaultClient {
    client_with(&fake.url, login, None)
}

fn call() -> Call {
    Call {
        method: Method::GET,
        resource: "/v1/kv/x".to_owned(),
        body: Bytes::new(),
        answer_bytes_max: 1000,
    }
}

async fn status(client: &VaultClient) -> Result<u16, VaultError> {
    let answer = client.ask(&call()).await?.good();
    Ok(match answer {
        Ok(_) => 200,
        Err(error) => error.refusal().unwrap().as_u16(),
    })
}

fn logged_in(token: &str, lasts_s: u64, renewable: bool) -> Response {
    let auth = format!(
        r#"{{"auth":{{"client_token":"{token}","lease_duration":{lasts_s},"renewable":{renewable}}}}}"#
    );
    (200, auth)
}

fn looked_up(ttl: u64) -> Response {
    (
        200,
        format!(r#"{{"data":{{"ttl":{ttl},"renewable":true}}}}"#),
    )
}

fn good() -> Response {
    (200, "{}".to_owned())
}

fn has_token(request: &Request, token: &str) -> bool {
    request.token.as_deref() == Some(token)
}

#[tokio::test]
async fn one_log_in_serves_many_calls_in_its_namespace() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/v1/auth/approle/login" => logged_in("t1", 3600, true),
        _ if has_token(request, "t1") => good(),
        _ => errors(403, &["permission denied"]),
    });
    let client = client_with(&fake.url, app_role(), Some("team/a"));
    for _ in 0..3 {
        assert_eq!(status(&client).await.unwrap(), 200);
    }
    let seen = fake.requests();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0].body, r#"{"role_id":"role","secret_id":"hush"}"#);
    assert_eq!(seen[0].token, None);
    for request in seen {
        assert_eq!(request.namespace.as_deref(), Some("team/a"));
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_though_nobody_asks() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/v1/auth/approle/login" => logged_in("t1", 2, true),
        "/v1/auth/token/renew-self" if has_token(request, "t1") => logged_in("t1", 2, true),
        _ => good(),
    });
    let client = client(&fake, app_role());
    assert_eq!(status(&client).await.unwrap(), 200);
    sleep(Duration::from_millis(2_700)).await;
    let seen = fake.seen();
    let renewals = seen.iter().filter(|line| line.ends_with("renew-self"));
    assert_eq!(renewals.count(), 2, "{seen:?}");
    let log_ins = seen.iter().filter(|line| line.ends_with("login"));
    assert_eq!(log_ins.count(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_client_that_is_dropped_renews_no_more() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/v1/auth/approle/login" | "/v1/auth/token/renew-self" => logged_in("t1", 1, true),
        _ => good(),
    });
    let client = client(&fake, app_role());
    assert_eq!(status(&client).await.unwrap(), 200);
    drop(client);
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(fake.seen().len(), 2, "{:?}", fake.seen());
}

#[tokio::test]
async fn a_token_whose_last_hour_has_come_is_replaced() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/v1/auth/approle/login" => logged_in("t1", 10, true),
        // It may not live on for much longer.
        "/v1/auth/token/renew-self" => logged_in("t1", 1, true),
        _ => good(),
    });
    let client = client(&fake, app_role());
    assert_eq!(status(&client).await.unwrap(), 200);
    sleep(Duration::from_millis(5_400)).await;
    let log_ins = fake
        .seen()
        .into_iter()
        .filter(|line| line.ends_with("login"));
    assert_eq!(log_ins.count(), 2, "{:?}", fake.seen());
}

#[tokio::test]
async fn a_revoked_token_is_replaced_within_the_call() {
    let log_ins = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&log_ins);
    let fake = Fake::start(move |request| match request.path.as_str() {
        "/v1/auth/approle/login" => {
            let number = count.fetch_add(1, Ordering::Relaxed);
            logged_in(&format!("t{number}"), 3600, true)
        }
        _ if has_token(request, "t1") => good(),
        _ => errors(403, &["permission denied"]),
    });
    let client = client(&fake, app_role());
    assert_eq!(status(&client).await.unwrap(), 200);
    assert_eq!(log_ins.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_lack_of_permission_is_no_reason_to_log_in_again() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/v1/auth/approle/login" => logged_in("t1", 3600, true),
        "/v1/auth/token/lookup-self" => looked_up(3600),
        _ => errors(403, &["1 error occurred:\n\t* permission denied\n\n"]),
    });
    let client = client(&fake, app_role());
    for _ in 0..3 {
        let error = client.ask(&call()).await.unwrap().good().unwrap_err();
        assert!(!error.is_outage());
        let text = error.to_string();
        assert!(text.contains("no permission for GET /v1/kv/x"), "{text}");
    }
    let log_ins = fake
        .seen()
        .into_iter()
        .filter(|line| line.ends_with("login"));
    assert_eq!(log_ins.count(), 1);
}

#[tokio::test]
async fn a_token_that_is_replaced_in_its_file_is_picked_up() {
    let file = Arc::new(Mutex::new("old"));
    let read = Arc::clone(&file);
    let source = SecretSource::from_fn(move || {
        let token = read.lock().unwrap().as_bytes().to_vec();
        Ok(Arc::new(SecretBytes::new(token)))
    });
    let fake = Fake::start(|request| match request.path.as_str() {
        _ if !has_token(request, "new") => errors(403, &["permission denied"]),
        "/v1/auth/token/lookup-self" => looked_up(3600),
        _ => good(),
    });
    let client = client(&fake, Login::Token(source));
    let error = client.ask(&call()).await.unwrap_err();
    assert!(matches!(error, VaultError::LogIn { .. }), "{error:?}");
    assert_eq!(error.refusal(), Some(StatusCode::FORBIDDEN));
    assert!(error.to_string().contains("with its token"), "{error}");
    *file.lock().unwrap() = "new";
    assert_eq!(status(&client).await.unwrap(), 200);
}

#[tokio::test]
async fn a_refused_role_is_told_without_its_secret() {
    let fake = Fake::start(|_| errors(400, &["invalid role or secret ID"]));
    let error = client(&fake, app_role()).ask(&call()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("as AppRole at auth/approle"), "{text}");
    assert!(text.contains("invalid role or secret ID"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[tokio::test]
async fn a_sealed_server_is_called_so_and_left_alone() {
    let is_sealed = Arc::new(AtomicU16::new(1));
    let sealed = Arc::clone(&is_sealed);
    let fake = Fake::start(move |request| {
        let is_sealed = sealed.load(Ordering::Relaxed) == 1;
        match request.path.as_str() {
            "/v1/sys/seal-status" => (200, format!(r#"{{"sealed":{is_sealed}}}"#)),
            _ if is_sealed => errors(503, &["Vault is sealed"]),
            "/v1/auth/token/lookup-self" => looked_up(0),
            _ => good(),
        }
    });
    let client = client(&fake, Login::Token(secret("t")));
    for _ in 0..3 {
        let error = client.ask(&call()).await.unwrap_err();
        assert!(matches!(error, VaultError::Sealed { .. }), "{error:?}");
        assert!(error.to_string().contains("bao operator unseal"));
    }
    let asked = fake.seen().len();
    let error = client.ask(&call()).await.unwrap_err();
    assert!(matches!(error, VaultError::Resting { .. }), "{error:?}");
    assert!(error.is_outage());
    assert_eq!(fake.seen().len(), asked);
    is_sealed.store(0, Ordering::Relaxed);
    sleep(Duration::from_millis(350)).await;
    assert_eq!(status(&client).await.unwrap(), 200);
    assert_eq!(status(&client).await.unwrap(), 200);
}

#[tokio::test]
async fn servers_that_hang_die_send_elsewhere_or_lie_are_told_apart() {
    let behaviour = Arc::new(AtomicU16::new(0));
    let now = Arc::clone(&behaviour);
    let fake = Fake::start(move |request| {
        let behaviour = now.load(Ordering::Relaxed);
        match (request.path.as_str(), behaviour) {
            ("/v1/auth/token/lookup-self", 5) => (200, "\"s3cr3t\"".to_owned()),
            ("/v1/auth/token/lookup-self", _) => looked_up(0),
            (_, 0) => (1, String::new()),
            (_, 1) => (0, String::new()),
            (_, 2) => (307, String::new()),
            (_, 3) => (200, "x".repeat(1001)),
            (_, 4) => errors(500, &["internal error"]),
            _ => good(),
        }
    });
    let expected: [(u16, &str); 6] = [
        (0, "within 800 ms"),
        (1, "cannot be asked"),
        (2, "no token is sent to"),
        (3, "cannot be asked"),
        (
            4,
            "500 Internal Server Error to GET /v1/kv/x: internal error",
        ),
        (5, "is no answer to that"),
    ];
    for (number, text) in expected {
        behaviour.store(number, Ordering::Relaxed);
        let client = client(&fake, Login::Token(secret("t")));
        let error = client.ask(&call()).await.unwrap_err();
        let mut told = error.to_string();
        if let VaultError::LogIn { source, .. } = &error {
            told = source.to_string();
        }
        assert!(told.contains(text), "{number}: {error:?}");
        assert_eq!(error.is_outage(), number < 3, "{error:?}");
        assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
    }
    // Nothing went elsewhere.
    assert!(!fake.seen().iter().any(|line| line.contains("elsewhere")));
}

/// Whoever asks for a damaged entry again and again keeps nobody else away.
#[tokio::test]
async fn an_entry_that_fails_takes_nothing_else_with_it() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/v1/auth/token/lookup-self" => looked_up(0),
        "/v1/kv/damaged" => errors(500, &["internal error"]),
        "/v1/kv/huge" => (200, "x".repeat(1001)),
        "/v1/kv/busy" => errors(429, &["slower"]),
        _ => good(),
    });
    let client = client(&fake, Login::Token(secret("t")));
    let ask = async |entry: &str| {
        let call = Call {
            resource: format!("/v1/kv/{entry}"),
            ..call()
        };
        client.ask(&call).await
    };
    for entry in ["damaged", "huge"].repeat(4) {
        let error = ask(entry).await.unwrap_err();
        assert!(!matches!(error, VaultError::Resting { .. }), "{entry}");
        assert!(!error.is_outage(), "{error:?}");
    }
    assert_eq!(status(&client).await.unwrap(), 200);
    for _ in 0..3 {
        assert!(ask("busy").await.unwrap_err().is_outage());
    }
    let error = ask("x").await.unwrap_err();
    assert!(matches!(error, VaultError::Resting { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_missing_is_not_what_has_no_engine() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/v1/auth/token/lookup-self" => looked_up(0),
        "/v1/kv/x" => errors(404, &[]),
        _ => errors(404, &["no handler for route"]),
    });
    let client = client(&fake, Login::Token(secret("t")));
    assert!(
        client
            .ask(&call())
            .await
            .unwrap()
            .found()
            .unwrap()
            .is_none()
    );
    let elsewhere = Call {
        resource: "/v1/nowhere/x".to_owned(),
        ..call()
    };
    let error = client.ask(&elsewhere).await.unwrap().found().unwrap_err();
    assert_eq!(error.refusal(), Some(StatusCode::NOT_FOUND));
}

#[test]
fn what_cannot_be_sent_or_parsed_is_refused() {
    for url in ["", "ftp://x", "http://u:p@x"] {
        let made = VaultClient::new(ServerConfig {
            url: url.to_owned(),
            namespace: None,
            login: app_role(),
            tls: TlsFiles::default(),
            patience: Duration::from_secs(1),
            rest: Duration::from_secs(1),
        });
        assert!(matches!(made, Err(SetupError::Url(_))), "{url}");
    }
    for (path, is_good) in [
        ("transit", true),
        ("a/b-c_d", true),
        ("", false),
        ("a//b", false),
        ("/a", false),
        ("a/../b", false),
        ("a?b", false),
        ("a b", false),
    ] {
        assert_eq!(donjon_vault_client::is_path(path), is_good, "{path}");
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_not_shown() {
    let fake = Fake::start(|_| good());
    let error = client(&fake, Login::Token(secret("a\nb")))
        .ask(&call())
        .await;
    let error = error.unwrap_err();
    assert!(matches!(error, VaultError::Credential { .. }), "{error:?}");
    assert!(fake.seen().is_empty());
}
