//! A server that requires tokens, on a folder that survives its restarts.

use crate::raw::{Response, request};
use crate::{Config, Folder, PATIENCE, Server, small};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use trunkline_api::scope::Scope;
use trunkline_server::End;
use trunkline_server::engine::vault::{ApiToken, Vault};
use trunkline_server::engine::{Config as EngineConfig, Engine};

/// A server that requires tokens, and the one of its operator.
pub(crate) struct Guarded {
    pub(crate) server: Server,
    pub(crate) admin: String,
    pub(crate) config: Config,
}

/// The settings of an engine with a key ring, which lies beside its folder.
fn settings(folder: &Folder) -> EngineConfig {
    let mut config = small(folder);
    std::fs::create_dir_all(&folder.0).unwrap();
    let vault = Vault::load_or_create(&folder.0.join("ring.key")).unwrap();
    config.vault = Some(Arc::new(vault));
    config
}

impl Guarded {
    pub(crate) async fn start() -> Self {
        Self::start_with(Config {
            tokens_required: true,
            ..Config::default()
        })
        .await
    }

    pub(crate) async fn start_with(config: Config) -> Self {
        let folder = Folder::new();
        let admin = ApiToken::fresh().unwrap();
        let engine = settings(&folder);
        let config = Config {
            admin_token: Some(admin.clone()),
            tenants: Some(engine.clone()),
            ..config
        };
        let engine = Engine::open(engine, Handle::current()).unwrap();
        let server = Server::start_on(engine, folder, config.clone()).await;
        Self {
            server,
            admin: admin.reveal().to_owned(),
            config,
        }
    }

    /// Stops, lets `between` look at the folder, and starts again with it.
    pub(crate) async fn restart(mut self, between: impl FnOnce(&std::path::Path)) -> Self {
        assert_eq!(self.server.stop().await, End::Stopped);
        let folder = std::mem::replace(&mut self.server._folder, Folder::new());
        between(&folder.0);
        let engine = self.config.tenants.clone().unwrap();
        let engine = Engine::open(engine, Handle::current()).unwrap();
        let server = Server::start_on(engine, folder, self.config.clone()).await;
        Self { server, ..self }
    }

    pub(crate) async fn ask(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: &str,
    ) -> Response {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        request(self.server.address, method, path, &headers, body.as_bytes()).await
    }

    /// Asks, and expects it to be done.
    pub(crate) async fn done(&self, token: &str, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let answer = self.ask(Some(token), method, path, &body).await;
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
        if answer.body.is_empty() {
            Value::Null
        } else {
            answer.json()
        }
    }

    /// Asks until the answer is what `until` wants.
    pub(crate) async fn until(
        &self,
        token: &str,
        path: &str,
        until: impl Fn(&Response) -> bool,
    ) -> Response {
        let asked = async {
            loop {
                let answer = self.ask(Some(token), "GET", path, "").await;
                if until(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => panic!("{path} never came to it"),
        }
    }

    pub(crate) async fn tenant(&self, name: &str) -> String {
        let path = format!("/v1/tenants/{name}");
        self.done(&self.admin, "PUT", &path, &json!({})).await;
        let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        self.token(name, &all).await.0
    }

    /// A token and its id.
    pub(crate) async fn token(&self, tenant: &str, scopes: &[&str]) -> (String, String) {
        let body = json!({"name": scopes.join("+"), "tenant": tenant, "scopes": scopes});
        let made = self.done(&self.admin, "POST", "/v1/tokens", &body).await;
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        (text("token"), text("id"))
    }
}
