use std::{os::unix::net::UnixStream, path::PathBuf};

use donjon_app::{OutsideStores, Policy, Ports};
use donjon_domain::ports::Credential;
use donjon_domain::{SecretBytes, Timestamp, ports::Authenticator};
use donjon_testkit::{
    FakeCrypto, FakeKeyGenerator, FakeWorkers, FixedClock, MemoryRepository, SeededEntropy,
};
use tempfile::TempDir;

use super::*;
use crate::admin::socket::AdminSocket;

fn admin() -> Admin {
    admin_with(OutsideStores::none(), Arc::new(Whole))
}

pub(super) fn admin_with(outside: OutsideStores, integrity: Arc<dyn Integrity>) -> Admin {
    let clock = Arc::new(FixedClock::new(Timestamp::from_micros(0)));
    let key = SecretBytes::new(vec![7; 32]);
    let repository = Arc::new(MemoryRepository::new());
    let entropy = Arc::new(SeededEntropy::new(1));
    let tokens = Tokens::new(repository.clone(), &key, clock.clone(), entropy.clone());
    let app = App::new(Ports {
        repository,
        crypto: Arc::new(FakeCrypto::new(1)),
        clock: clock.clone(),
        entropy,
        generator: Arc::new(FakeKeyGenerator::new()),
        workers: Arc::new(FakeWorkers::new()),
        policy: Policy::secure_rbac(),
        quotas: donjon_domain::Quotas::UNLIMITED,
        bounds: donjon_app::Bounds::default(),
        secret_stores: Vec::new(),
        outside,
    });
    Admin {
        app: Arc::new(app),
        tokens: Arc::new(tokens.unwrap()),
        clock,
        integrity,
        rotator: None,
        mover: None,
        departures: None,
    }
}

struct Whole;

impl Integrity for Whole {
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>, RepositoryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn create(project: &str) -> NewTokenRequest {
    NewTokenRequest {
        project: project.to_owned(),
        ..NewTokenRequest::default()
    }
}

async fn tokens(admin: &Admin) -> Vec<TokenView> {
    match admin.handle(Request::List {}).await {
        Response::Tokens { tokens } => tokens,
        other => panic!("{other:?}"),
    }
}

async fn refusal(admin: &Admin, request: Request) -> String {
    match admin.handle(request).await {
        Response::Refused { message } => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_token_is_created_listed_used_and_revoked() {
    let admin = admin();
    let new = NewTokenRequest {
        user: Some("deploy".to_owned()),
        roles: vec!["Reader".to_owned()],
        expires_s: Some(86_400),
        ..create("web")
    };
    let Response::TokenCreated { id, token } = admin.handle(Request::Create(new)).await else {
        panic!("not created");
    };
    let listed = tokens(&admin).await;
    assert_eq!(listed.len(), 1);
    let view = &listed[0];
    assert_eq!(view.id, id);
    assert_eq!(
        (view.project.as_str(), view.user.as_str()),
        ("web", "deploy")
    );
    assert_eq!(view.roles, ["reader"]);
    assert_eq!(view.expires.as_deref(), Some("1970-01-02T00:00:00Z"));
    assert_eq!(view.last_used, None);

    let credential = Credential {
        token: Some(token.expose()),
        ..Credential::default()
    };
    assert!(admin.tokens.authenticate(credential).await.is_ok());
    let used = tokens(&admin).await[0].last_used.clone();
    assert_eq!(used.as_deref(), Some("1970-01-01T00:00:00Z"));

    let revoked = admin.handle(Request::Revoke { id: id.clone() }).await;
    assert!(matches!(revoked, Response::TokenRevoked {}));
    assert!(admin.tokens.authenticate(credential).await.is_err());
    let again = refusal(&admin, Request::Revoke { id }).await;
    assert!(again.starts_with("there is no token "));
}

#[tokio::test]
async fn a_project_is_enough() {
    let admin = admin();
    for _ in 0..2 {
        admin.handle(Request::Create(create("web"))).await;
    }
    let views = tokens(&admin).await;
    for view in &views {
        assert_eq!(view.user, view.id, "a user of its own");
        assert_eq!(view.roles, ["member", "reader"]);
        assert_eq!(view.expires, None);
    }
    assert_ne!(views[0].user, views[1].user);
}

#[tokio::test]
async fn nonsense_is_refused() {
    let admin = admin();
    let long = "x".repeat(256);
    for project in ["", "a\nb", long.as_str()] {
        let message = refusal(&admin, Request::Create(create(project))).await;
        assert!(message.contains("a project has 1 to 255"), "{message}");
    }
    for role in ["", "a,b", "a b"] {
        let new = NewTokenRequest {
            roles: vec![role.to_owned()],
            ..create("p")
        };
        assert!(refusal(&admin, Request::Create(new)).await.contains("role"));
    }
    for expires_s in [0, -1, i64::MAX] {
        let new = NewTokenRequest {
            expires_s: Some(expires_s),
            ..create("p")
        };
        assert!(
            refusal(&admin, Request::Create(new))
                .await
                .contains("lasts")
        );
    }
    let id = "x".to_owned();
    assert!(
        refusal(&admin, Request::Revoke { id })
            .await
            .contains("no token id")
    );
    assert!(tokens(&admin).await.is_empty());
}

// === over the socket ===

struct Running {
    _folder: TempDir,
    path: PathBuf,
}

fn serve() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let socket = AdminSocket::bind(&path).unwrap();
    tokio::spawn(socket.serve(admin()));
    Running {
        _folder: folder,
        path,
    }
}

async fn ask(path: &std::path::Path, request: Request) -> Response {
    let path = path.to_owned();
    let asked = tokio::task::spawn_blocking(move || client::ask(&path, &request));
    asked.await.unwrap().unwrap().unwrap()
}

/// Sends bytes and reads to the end.
async fn send(path: &std::path::Path, bytes: Vec<u8>) -> Vec<u8> {
    use std::io::{Read, Write};
    let path = path.to_owned();
    let task = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(&bytes).unwrap_or_default();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap_or_default();
        answer
    });
    task.await.unwrap()
}

#[tokio::test]
async fn the_socket_answers() {
    let running = serve();
    let created = ask(&running.path, Request::Create(create("web"))).await;
    let Response::TokenCreated { token, .. } = created else {
        panic!("{created:?}");
    };
    assert!(token.expose().starts_with("djn_"));
    let listed = ask(&running.path, Request::List {}).await;
    assert!(matches!(listed, Response::Tokens { tokens } if tokens.len() == 1));
}

#[tokio::test]
async fn the_socket_is_ours_alone() {
    use std::os::unix::fs::PermissionsExt;
    let running = serve();
    let mode = std::fs::metadata(&running.path)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn nonsense_on_the_socket_is_answered_or_cut() {
    let running = serve();
    for line in [
        "{}\n",
        "x\n",
        "\n",
        "{\"verb\":\"token-list\",\"x\":1}\n",
        "{\"verb\":\"stop\"}\n",
    ] {
        let answer = send(&running.path, line.as_bytes().to_vec()).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("\"refused\""), "{line:?}: {answer}");
    }
    let endless = send(&running.path, vec![b'x'; 100_000]).await;
    assert_eq!(endless, b"");
}

#[tokio::test]
async fn nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let request = Request::List {};
    assert!(client::ask(&path, &request).unwrap().is_none());
    drop(AdminSocket::bind(&path).unwrap());
    assert!(!path.exists());
    // What a killed server leaves behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(client::ask(&path, &request).unwrap().is_none());
    assert!(AdminSocket::bind(&path).is_ok());
}

#[tokio::test]
async fn a_file_is_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    std::fs::write(&path, b"precious").unwrap();
    let error = AdminSocket::bind(&path).unwrap_err();
    assert!(error.to_string().contains("not a socket"));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

/// In a device, a key takes as long as a call of the network; there may be
/// thousands of projects.
#[test]
fn new_keys_for_all_projects_may_take_long() {
    let all = Request::RotateProject { project: None };
    assert!(all.patience() >= std::time::Duration::from_secs(3_600));
    let status = Request::RotateStatus {};
    assert!(status.patience() <= std::time::Duration::from_secs(30));
}
