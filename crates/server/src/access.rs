//! Tokens and tenants over HTTP, and who is asking.
//!
//! An administrator of the default tenant looks after everybody's; one of another tenant after the tokens of that tenant, and
//! does not learn that there are others.

use crate::answer::{Answer, Refusal, done, json, json_with};
use crate::app::App;
use crate::house::{House, Standing, limits_of};
use crate::input::{Asked, Body, Names, Optional};
use crate::pass::Pass;
use crate::register::NewToken;
use crate::tenants;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use trunkline_api::access::{
    AccessBody, CreateToken, HOME, PutTenant, RemoveTenant, TenantBody, TenantLimits, TenantList,
    TokenCreated, TokenList,
};
use trunkline_api::core::code::Code;
use trunkline_api::core::time::Timestamp;
use trunkline_api::credential::SecretText;
use trunkline_api::name::name;
use trunkline_api::problem::Problem;
use trunkline_api::scope::Scopes;
use trunkline_engine::{TenantRecord, TenantStage};

/// The longest life of a token that ends: a hundred years.
const EXPIRES_IN_MS_MAX: u64 = 100 * 366 * 24 * 3_600_000;

/// `GET /v1/access`
pub(crate) async fn show(State(app): State<Arc<App>>, pass: Pass) -> Answer {
    json(&AccessBody {
        tenant: app.tenant.clone(),
        scopes: pass.scopes().iter().collect(),
        token: pass.token().map(|token| token.body()),
        tokens_required: app.config.tokens_required,
    })
}

/// `GET /v1/tokens`
pub(crate) async fn list_tokens(State(app): State<Arc<App>>) -> Answer {
    let house = app.house()?;
    let of = (!app.is_home()).then_some(app.tenant.as_str());
    let tokens = house.register.list(of);
    json(&TokenList {
        tokens: tokens.iter().map(|token| token.body()).collect(),
    })
}

/// `POST /v1/tokens`
pub(crate) async fn create_token(
    State(app): State<Arc<App>>,
    Body(request): Body<CreateToken>,
) -> Answer {
    let house = app.house()?;
    let tenant = request.tenant.unwrap_or_else(|| app.tenant.clone());
    if tenant != app.tenant && !app.is_home() {
        return Err(Problem::from(tenants::not_found(&tenant)).into());
    }
    let invalid = |detail: &str| Refusal::new(Code::TokenInvalid, detail);
    let scopes: Scopes = request.scopes.into_iter().collect();
    if scopes.is_empty() {
        return Err(invalid("a token without a scope may do nothing"));
    }
    let is_span = |ms: u64| (1..=EXPIRES_IN_MS_MAX).contains(&ms);
    if request.expires_in_ms.is_some_and(|ms| !is_span(ms)) {
        return Err(invalid(
            "`expires_in_ms` is at least 1, and not a hundred years",
        ));
    }
    let name = name("name", &request.name)?.to_string();
    // Not while the tenant is being removed: its tokens go with it.
    let _change = house.changes.lock().await;
    if house.standing(&tenant).is_none() {
        return Err(Problem::from(tenants::not_found(&tenant)).into());
    }
    let new = NewToken {
        name,
        tenant,
        scopes,
        expires_in_ms: request.expires_in_ms,
    };
    let (text, token) = house.register.create(new).await?;
    json_with(
        StatusCode::CREATED,
        &TokenCreated {
            token: SecretText(text.reveal().to_owned()),
            about: token.body(),
        },
    )
}

/// `DELETE /v1/tokens/{id}`
pub(crate) async fn revoke_token(State(app): State<Arc<App>>, Names(id): Names<String>) -> Answer {
    let house = app.house()?;
    let found = house.register.get(&id);
    // To a tenant, the token of another is not there.
    if !found.is_some_and(|token| app.is_home() || token.tenant == app.tenant) {
        return Err(Refusal::new(Code::TokenNotFound, format!("token `{id}`")));
    }
    house.register.revoke(&id).await.map_err(Problem::from)?;
    done()
}

/// `GET /v1/tenants`
pub(crate) async fn list_tenants(State(app): State<Arc<App>>) -> Answer {
    let house = home_only(&app)?;
    let mut records = app.engine.tenants();
    if !records.iter().any(|record| record.name == HOME) {
        records.push(home_record());
    }
    records.sort_by_key(|record| (record.name != HOME, record.name.clone()));
    let mut tenants = Vec::with_capacity(records.len());
    for record in &records {
        tenants.push(shown(&house, record).await);
    }
    json(&TenantList { tenants })
}

/// `PUT /v1/tenants/{name}`
pub(crate) async fn put_tenant(
    State(app): State<Arc<App>>,
    Names(name): Names<String>,
    Optional(request): Optional<PutTenant>,
) -> Answer {
    let house = home_only(&app)?;
    if let Some(limits) = request.limits {
        check(limits)?;
    }
    let put = tenants::put(&house, name.clone(), request.limits).await;
    put.map_err(Problem::from)?;
    json(&find(&app, &house, &name).await?)
}

/// `GET /v1/tenants/{name}`
pub(crate) async fn show_tenant(State(app): State<Arc<App>>, Names(name): Names<String>) -> Answer {
    let house = home_only(&app)?;
    json(&find(&app, &house, &name).await?)
}

/// `DELETE /v1/tenants/{name}`
pub(crate) async fn remove_tenant(
    State(app): State<Arc<App>>,
    Names(name): Names<String>,
    Asked(request): Asked<RemoveTenant>,
) -> Answer {
    let house = home_only(&app)?;
    let removed = tenants::remove(&house, name, request.force).await;
    removed.map_err(Problem::from)?;
    done()
}

/// Refuses whoever is not of the default tenant.
pub(crate) fn home_only(app: &App) -> Result<Arc<House>, Problem> {
    if app.is_home() {
        return app.house();
    }
    let detail = format!("only a token of the tenant `{HOME}` may");
    Err(Problem::new(Code::ScopeMissing, detail))
}

fn check(limits: TenantLimits) -> Result<(), Problem> {
    if limits.requests_per_second == Some(0) {
        let detail = "`requests_per_second` is at least 1";
        return Err(Problem::new(Code::TenantInvalid, detail));
    }
    Ok(())
}

async fn find(app: &App, house: &House, name: &str) -> Result<TenantBody, Problem> {
    let mut records = app.engine.tenants();
    records.push(home_record());
    let found = records.iter().find(|record| record.name == name);
    let record = found.ok_or_else(|| tenants::not_found(name))?;
    Ok(shown(house, record).await)
}

/// The default tenant, of which nothing is kept unless it has limits.
fn home_record() -> TenantRecord {
    TenantRecord {
        name: HOME.to_owned(),
        stage: TenantStage::Ready,
        created_at_ms: 0,
        folder: None,
        requests_per_second: None,
        open_runs: None,
        open_jobs: None,
        disk_bytes: None,
    }
}

async fn shown(house: &House, record: &TenantRecord) -> TenantBody {
    let standing = house.standing(&record.name);
    let (state, reason) = match &standing {
        _ if record.stage == TenantStage::Removing => ("removing", None),
        Some(Standing::Open(_)) => ("ready", None),
        Some(Standing::Unavailable(reason)) => ("unavailable", Some(reason.clone())),
        None => ("making", None),
    };
    let usage = match &standing {
        Some(Standing::Open(tenant)) => {
            let app = &tenant.app;
            Some(app.quota.usage(&app.engine, true).await)
        }
        _ => None,
    };
    TenantBody {
        name: record.name.clone(),
        state: state.to_owned(),
        reason,
        created_at: (record.created_at_ms > 0 && record.name != HOME)
            .then(|| Timestamp(record.created_at_ms).into()),
        limits: limits_of(record),
        tokens: house.register.list(Some(&record.name)).len() as u64,
        usage,
    }
}
