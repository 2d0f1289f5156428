//! A real OpenBao in memory, whose program `DONJON_BAO` names. `cargo xtask
//! conformance openbao` gets it.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use donjon_domain::SecretBytes;
use donjon_vault_client::{
    Call, Login, SecretSource, ServerConfig, TlsFiles, VaultClient, VaultError,
};
use http::Method;
use serde_json::Value;
use tokio::runtime::Runtime;

pub(crate) struct Bao {
    child: Child,
    pub(crate) url: String,
    pub(crate) runtime: Runtime,
}

impl Bao {
    /// With the token `root`, a KV engine at `secret`, and what `config` adds.
    pub(crate) fn start(config: Option<&Path>) -> Self {
        let program = std::env::var("DONJON_BAO").expect("DONJON_BAO names the program `bao`");
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["server", "-dev", "-dev-no-store-token"]);
        command.arg("-dev-root-token-id=root");
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        if let Some(config) = config {
            command.arg("-config").arg(config);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let bao = Self {
            child: child.unwrap(),
            url: format!("http://127.0.0.1:{port}"),
            runtime: Runtime::new().unwrap(),
        };
        bao.wait();
        bao
    }

    /// How a client reaches it.
    pub(crate) fn config(&self, login: Login) -> ServerConfig {
        ServerConfig {
            url: self.url.clone(),
            namespace: None,
            login,
            tls: TlsFiles::default(),
            patience: Duration::from_secs(10),
            rest: Duration::from_millis(50),
        }
    }

    /// What whoever may do everything is answered; `null` for nothing.
    pub(crate) fn admin(&self, namespace: Option<&str>, path: &str, body: &str) -> Value {
        let is_read = body.is_empty();
        let method = if is_read { Method::GET } else { Method::POST };
        self.admin_by(namespace, method, path, body)
    }

    pub(crate) fn admin_by(
        &self,
        namespace: Option<&str>,
        method: Method,
        path: &str,
        body: &str,
    ) -> Value {
        let mut config = self.config(token("root"));
        config.namespace = namespace.map(str::to_owned);
        let client = VaultClient::new(config).unwrap();
        let call = Call {
            method,
            resource: format!("/v1/{path}"),
            body: Bytes::from(body.to_owned()),
            answer_bytes_max: 1_000_000,
        };
        let asked = self.runtime.block_on(client.ask(&call)).unwrap();
        match asked.expect() {
            Ok(json) => json,
            Err(VaultError::Garbled { .. }) => Value::Null,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// A client as an AppRole with a policy; its tokens last so long.
    pub(crate) fn app_role(&self, policy: &str, ttl: &str, max_ttl: &str) -> Login {
        let methods = self.admin(None, "sys/auth", "");
        if methods.pointer("/data/approle~1").is_none() {
            self.admin(None, "sys/auth/approle", r#"{"type":"approle"}"#);
        }
        let policy = serde_json::json!({ "policy": policy });
        self.admin(None, "sys/policies/acl/app", &policy.to_string());
        let role = serde_json::json!({
            "token_policies": ["app"], "token_ttl": ttl, "token_max_ttl": max_ttl,
        });
        self.admin(None, "auth/approle/role/app", &role.to_string());
        let role_id = self.admin(None, "auth/approle/role/app/role-id", "");
        let secret_id = self.admin(None, "auth/approle/role/app/secret-id", "{}");
        Login::AppRole {
            mount: "approle".to_owned(),
            role_id: text(&role_id, "/data/role_id"),
            secret_id: secret(&text(&secret_id, "/data/secret_id")),
        }
    }

    /// Ends it, with all that it knows.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn wait(&self) {
        let client = VaultClient::new(self.config(token("root"))).unwrap();
        let call = Call {
            method: Method::GET,
            resource: "/v1/secret/config".to_owned(),
            body: Bytes::new(),
            answer_bytes_max: 1_000_000,
        };
        for _ in 0..200 {
            let ready = self.runtime.block_on(async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                client.ask(&call).await
            });
            if ready.is_ok_and(|answer| answer.good().is_ok()) {
                return;
            }
        }
        panic!("the server at {} does not answer", self.url);
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn token(token: &str) -> Login {
    Login::Token(secret(token))
}

pub(crate) fn secret(text: &str) -> SecretSource {
    SecretSource::given(Arc::new(SecretBytes::new(text.as_bytes().to_vec())))
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A text in an answer.
pub(crate) fn text(answer: &Value, place: &str) -> String {
    let found = answer.pointer(place).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no {place} in {answer}"))
        .to_owned()
}
