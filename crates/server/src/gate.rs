//! The gate: whose request it is, before anything else is known of it.
//!
//! ```text
//! request ─▶ gate: whose token? ─▶ that tenant's router ─▶ frame: has it the scope? ─▶ handler
//!              │ none, or none that is valid
//!              └─▶ the default tenant's router, marked: frame refuses it unless it asks for health
//! ```
//!
//! Behind the gate there is no choice left: a router knows one engine. A request without a token is the default tenant's where the
//! server requires none. There, too, a token that is presented has to be valid, so that nobody believes to be who they are not.

use crate::house::{House, Standing, Tenant};
use crate::pass::{Pass, Token, unauthenticated};
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use axum::response::Response;
use hyper::body::Incoming;
use std::sync::Arc;
use tower_service::Service;
use trunkline_api::core::code::Code;
use trunkline_api::problem::Problem;
use trunkline_engine::vault::ApiToken;

/// The scheme under which a token is presented (RFC 6750), and the space behind it.
const SCHEME: &str = "bearer ";
/// What every token begins with.
const TOKEN_BEGINS: &str = "tl_";

/// A request that the gate refuses. It goes on to `frame`, which knows whether what it asks for is there for everybody.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) Problem);

/// What the gate finds.
enum Found {
    /// No token, and none is needed.
    Nothing,
    Token(Arc<Tenant>, Arc<Token>),
    Refused(Problem),
}

/// Answers a request.
pub(crate) async fn enter(house: &Arc<House>, mut request: Request<Incoming>) -> Response {
    match judge(house, request.headers()) {
        Found::Nothing => {
            let home = house.home();
            match home.app.quota.take_request() {
                Ok(()) => pass_on(home, request).await,
                Err(rejection) => refuse(home, request, rejection.into()).await,
            }
        }
        Found::Refused(problem) => refuse(house.home(), request, problem).await,
        Found::Token(tenant, token) => {
            house.register.note_use(&token);
            // What it says later has to be said under the name that the client gave.
            let head = head_of(&request);
            let app = Arc::clone(&tenant.app);
            let Some(_active) = app.activity.begin() else {
                return refuse(&tenant, request, being_removed()).await;
            };
            if let Err(rejection) = app.quota.take_request() {
                return refuse(&tenant, request, rejection.into()).await;
            }
            let pass = Pass::of(token);
            request.extensions_mut().insert(pass.clone());
            tokio::select! {
                response = pass_on(&tenant, request) => response,
                () = pass.ended() => refuse(house.home(), head, over()).await,
                () = app.activity.called_off() => refuse(&tenant, head, being_removed()).await,
            }
        }
    }
}

fn judge(house: &House, headers: &HeaderMap) -> Found {
    let required = house.config.tokens_required;
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, more) = (values.next(), values.next());
    if more.is_some() {
        return Found::Refused(unauthenticated("there are two headers `authorization`"));
    }
    let presented = value.and_then(|value| bearer(value.as_bytes()));
    match presented {
        // What a proxy in front asks for is no business of ours, unless it has to be one of our tokens.
        None | Some("") if !required => Found::Nothing,
        Some(text) if !required && !text.starts_with(TOKEN_BEGINS) => Found::Nothing,
        None | Some("") => Found::Refused(unauthenticated(
            "the header `authorization: Bearer tl_…` is missing",
        )),
        Some(text) => {
            let token = ApiToken::parse(text).and_then(|token| house.register.find(&token));
            match token {
                Some(token) => tenant_of(house, token),
                None => Found::Refused(unauthenticated(
                    "the token is not known here, has expired or is revoked",
                )),
            }
        }
    }
}

fn tenant_of(house: &House, token: Arc<Token>) -> Found {
    match house.standing(&token.tenant) {
        Some(Standing::Open(tenant)) => Found::Token(tenant, token),
        Some(Standing::Unavailable(_)) => {
            // Why, the operator knows; it may say where files lie.
            let detail = "its data cannot be used; whoever operates the server knows why";
            Found::Refused(Problem::new(Code::TenantUnavailable, detail))
        }
        None => Found::Refused(unauthenticated("the token is not known here")),
    }
}

/// What stands behind the scheme.
fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) {
        return None;
    }
    Some(std::str::from_utf8(rest).unwrap_or("?").trim())
}

async fn pass_on<B>(tenant: &Tenant, request: Request<B>) -> Response
where
    B: hyper::body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    match tenant.router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

async fn refuse<B>(tenant: &Tenant, mut request: Request<B>, problem: Problem) -> Response
where
    B: hyper::body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    request.extensions_mut().insert(Refused(problem));
    pass_on(tenant, request).await
}

/// A request without its body, to be refused under the same name.
fn head_of<B>(request: &Request<B>) -> Request<Body> {
    let mut head = Request::new(Body::empty());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    if let Some(id) = request.headers().get(&crate::frame::REQUEST_ID) {
        head.headers_mut()
            .insert(crate::frame::REQUEST_ID, id.clone());
    }
    head
}

/// What is said when a token ends while something goes on with it.
pub(crate) fn over() -> Problem {
    unauthenticated("the token has expired or is revoked")
}

fn being_removed() -> Problem {
    Problem::new(Code::TenantUnavailable, "the tenant is being removed")
}
