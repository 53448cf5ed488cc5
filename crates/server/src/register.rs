//! The register: all tokens that are valid, by id. The engine of the default tenant keeps them.

use crate::pass::{Token, now_ms};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use trunkline_api::access::HOME;
use trunkline_api::core::code::Code;
use trunkline_api::core::peer::Rejection;
use trunkline_api::problem::Problem;
use trunkline_api::scope::Scopes;
use trunkline_engine::vault::ApiToken;
use trunkline_engine::{Engine, TokenRecord};

/// Tokens of all tenants together.
const TOKENS_MAX: usize = 10_000;
/// A use is remembered this exactly, and kept that exactly.
const REMEMBERED_MS: u64 = 60_000;
const KEPT_MS: u64 = 3_600_000;

/// All tokens that are valid, by id.
#[derive(Debug)]
pub(crate) struct Register {
    /// Keeps them.
    engine: Engine,
    tokens: RwLock<HashMap<String, Arc<Token>>>,
}

/// A token to make.
pub(crate) struct NewToken {
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) scopes: Scopes,
    pub(crate) expires_in_ms: Option<u64>,
}

impl Register {
    /// The register that `engine` keeps.
    pub(crate) fn new(engine: Engine) -> Self {
        let records = engine.tokens();
        let tokens = records
            .iter()
            .map(|record| (record.id.clone(), Arc::new(Token::new(record))))
            .collect();
        Self {
            engine,
            tokens: RwLock::new(tokens),
        }
    }

    /// The token that was presented, if it is valid.
    pub(crate) fn find(&self, presented: &ApiToken) -> Option<Arc<Token>> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.get(presented.id())?;
        token.is(presented).then(|| Arc::clone(token))
    }

    /// Notes that a token was used. Most of the time there is nothing to do.
    pub(crate) fn note_use(&self, token: &Arc<Token>) {
        let now_ms = now_ms();
        if now_ms < token.used_ms.load(Ordering::Relaxed) + REMEMBERED_MS {
            return;
        }
        token.used_ms.store(now_ms, Ordering::Relaxed);
        let noted_ms = token.noted_ms.load(Ordering::Relaxed);
        if now_ms < noted_ms + KEPT_MS {
            return;
        }
        // One of those who come at once does it.
        let mine =
            token
                .noted_ms
                .compare_exchange(noted_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed);
        if mine.is_ok() {
            let engine = self.engine.clone();
            let token = Arc::clone(token);
            tokio::spawn(async move {
                if let Err(rejection) = engine.note_token_use(&token.id, now_ms).await {
                    tracing::warn!(token = token.id, reason = %rejection.detail, "the use of a token is not kept");
                }
            });
        }
    }

    /// All of them, by name; those of one tenant if it is given.
    pub(crate) fn list(&self, tenant: Option<&str>) -> Vec<Arc<Token>> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = tokens
            .values()
            .filter(|token| tenant.is_none_or(|tenant| token.tenant == tenant))
            .cloned()
            .collect();
        all.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        all
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Token>> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.get(id).cloned()
    }

    /// Makes a token. It is kept before it is given out.
    pub(crate) async fn create(&self, new: NewToken) -> Result<(ApiToken, Arc<Token>), Problem> {
        let count = self.list(None).len();
        if count >= TOKENS_MAX {
            let detail = format!("there are {count} tokens; the limit is {TOKENS_MAX}");
            return Err(Problem::new(Code::TokenInvalid, detail));
        }
        let text =
            ApiToken::fresh().map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        let created_at_ms = now_ms();
        let record = TokenRecord {
            id: text.id().to_owned(),
            name: new.name,
            tenant: new.tenant,
            scopes: new.scopes.bits(),
            hash: *text.hash().bytes(),
            created_at_ms,
            expires_at_ms: new.expires_in_ms.map(|ms| created_at_ms.saturating_add(ms)),
            last_used_at_ms: None,
            from_file: false,
        };
        let token = self.keep(record).await?;
        Ok((text, token))
    }

    /// Has `text` be the one token that comes from the operator's file, with every scope. One from an earlier file is over.
    pub(crate) async fn take_from_file(&self, text: &ApiToken) -> Result<(), Rejection> {
        for old in self.list(None) {
            if old.from_file && !old.is(text) {
                self.revoke(&old.id).await?;
            }
        }
        if self.find(text).is_some() {
            return Ok(());
        }
        let record = TokenRecord {
            id: text.id().to_owned(),
            name: "admin-token-file".to_owned(),
            tenant: HOME.to_owned(),
            scopes: Scopes::all().bits(),
            hash: *text.hash().bytes(),
            created_at_ms: now_ms(),
            expires_at_ms: None,
            last_used_at_ms: None,
            from_file: true,
        };
        self.keep(record).await?;
        Ok(())
    }

    async fn keep(&self, record: TokenRecord) -> Result<Arc<Token>, Rejection> {
        let token = Arc::new(Token::new(&record));
        self.engine.keep_token(record).await?;
        self.tokens
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token.id.clone(), Arc::clone(&token));
        tracing::info!(
            token = token.id,
            name = token.name,
            tenant = token.tenant,
            "a token is valid"
        );
        Ok(token)
    }

    /// Ends a token: at once for whoever comes, and for whoever is connected with it.
    pub(crate) async fn revoke(&self, id: &str) -> Result<(), Rejection> {
        self.engine.forget_token(id.to_owned()).await?;
        let revoked = {
            let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
            tokens.remove(id)
        };
        if let Some(token) = revoked {
            token.revoke();
            tracing::info!(
                token = token.id,
                name = token.name,
                tenant = token.tenant,
                "a token is revoked"
            );
        }
        Ok(())
    }
}
