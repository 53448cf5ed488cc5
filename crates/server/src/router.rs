//! The router, built from the API's table of routes: an operation without a handler does not compile.

use crate::answer::{Answer, Refusal, content_type};
use crate::app::App;
use crate::{
    access, belts, connect, credentials, destinations, events, explain, frame, health, jobs,
    limiters, many, many_jobs, methods, metrics, runs, schedules, steering, tasks, tree, waiting,
};
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Router, middleware};
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::openapi;
use trunkline_api::route::{self, Operation, ROUTES};

/// The router with everything that surrounds a request.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, handler(route.operation, route.method));
    }
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_method)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&app),
            frame::surround,
        ))
        .with_state(app)
}

fn handler(operation: Operation, method: route::Method) -> MethodRouter<Arc<App>> {
    match operation {
        Operation::StartRun => at(method, runs::start),
        Operation::ListRuns => at(method, runs::list),
        Operation::CountRuns => at(method, runs::count),
        Operation::ShowRun => at(method, runs::show),
        Operation::ShowTree => at(method, tree::show),
        Operation::ShowHistory => at(method, runs::history),
        Operation::ShowProperty => at(method, runs::property),
        Operation::ExportRun => at(method, runs::export),
        Operation::AwaitResult => at(method, waiting::result),
        Operation::SignalRun => at(method, steering::signal),
        Operation::CallMethod => at(method, methods::call),
        Operation::AwaitMethod => at(method, methods::await_call),
        Operation::AskQuery | Operation::AskQueryWith => at(method, methods::query),
        Operation::CompleteTimers => at(method, methods::complete_timers),
        Operation::CancelRun => at(method, steering::cancel),
        Operation::TerminateRun => at(method, steering::terminate),
        Operation::PauseRun => at(method, steering::pause),
        Operation::ResumeRun => at(method, steering::resume),
        Operation::RetryRun => at(method, many::retry),
        Operation::ForkRun => at(method, many::fork),
        Operation::PurgeRun => at(method, many::purge),
        Operation::ActOnTagged => at(method, many::act_on_tagged),
        Operation::StartBulk => at(method, many::start_bulk),
        Operation::ListBulk => at(method, many::list_bulk),
        Operation::ShowBulk => at(method, many::show_bulk),
        Operation::CancelBulk => at(method, many::cancel_bulk),
        Operation::ListTasks => at(method, tasks::list),
        Operation::CompleteTask => at(method, tasks::complete),
        Operation::FailTask => at(method, tasks::fail),
        Operation::HeartbeatTask => at(method, tasks::heartbeat),
        Operation::CancelTask => at(method, tasks::cancel),
        Operation::ListDestinations => at(method, destinations::list),
        Operation::PutDestination => at(method, destinations::put),
        Operation::ShowDestination => at(method, destinations::show),
        Operation::CreateJobs => at(method, jobs::create),
        Operation::StartJobBulk => at(method, many_jobs::start_bulk),
        Operation::ShowObject => at(method, many_jobs::object),
        Operation::EnableDestination => at(method, many_jobs::enable),
        Operation::ListLanes => at(method, many_jobs::lanes),
        Operation::ListJobs => at(method, jobs::list),
        Operation::ShowJob => at(method, jobs::show),
        Operation::ReplayJob => at(method, jobs::replay),
        Operation::CancelJob => at(method, jobs::cancel),
        Operation::ReleaseJob => at(method, belts::release_job),
        Operation::ReleaseLane => at(method, belts::release_lane),
        Operation::ReleaseBatch => at(method, belts::release_batch),
        Operation::ListLimiters => at(method, limiters::list),
        Operation::PutLimiter => at(method, limiters::put),
        Operation::ShowLimiter => at(method, limiters::show),
        Operation::DeleteLimiter => at(method, limiters::delete),
        Operation::OpenBreaker => at(method, belts::open_breaker),
        Operation::CloseBreaker => at(method, belts::close_breaker),
        Operation::ListCredentials => at(method, credentials::list),
        Operation::PutCredential => at(method, credentials::put),
        Operation::ShowCredential => at(method, credentials::show),
        Operation::DeleteCredential => at(method, credentials::delete),
        Operation::PromoteCredential => at(method, credentials::promote),
        Operation::RetireCredential => at(method, credentials::retire),
        Operation::TestCredential => at(method, credentials::test),
        Operation::ShowKeyRing => at(method, credentials::key_ring),
        Operation::RotateKeys => at(method, credentials::rotate),
        Operation::ListSchedules => at(method, schedules::list),
        Operation::PutSchedule => at(method, schedules::put),
        Operation::ShowSchedule => at(method, schedules::show),
        Operation::DeleteSchedule => at(method, schedules::delete),
        Operation::PauseSchedule => at(method, schedules::pause),
        Operation::ResumeSchedule => at(method, schedules::resume),
        Operation::TriggerSchedule => at(method, schedules::trigger),
        Operation::BackfillSchedule => at(method, schedules::backfill),
        Operation::ShowAccess => at(method, access::show),
        Operation::ListTokens => at(method, access::list_tokens),
        Operation::CreateToken => at(method, access::create_token),
        Operation::RevokeToken => at(method, access::revoke_token),
        Operation::ListTenants => at(method, access::list_tenants),
        Operation::PutTenant => at(method, access::put_tenant),
        Operation::ShowTenant => at(method, access::show_tenant),
        Operation::RemoveTenant => at(method, access::remove_tenant),
        Operation::Events => at(method, events::events),
        Operation::Connect => at(method, connect::connect),
        Operation::ExplainCode => at(method, explain::explain),
        Operation::OpenApi => at(method, openapi_document),
        Operation::Healthz => at(method, health::healthz),
        Operation::Readyz => at(method, health::readyz),
        Operation::Metrics => at(method, metrics::metrics),
        Operation::Index => at(method, index),
    }
}

fn at<H: Handler<T, Arc<App>>, T: 'static>(
    method: route::Method,
    handler: H,
) -> MethodRouter<Arc<App>> {
    let filter = match method {
        route::Method::Get => MethodFilter::GET,
        route::Method::Post => MethodFilter::POST,
        route::Method::Put => MethodFilter::PUT,
        route::Method::Delete => MethodFilter::DELETE,
    };
    on(filter, handler)
}

async fn nothing_here(request: Request) -> Refusal {
    Refusal::new(
        Code::NotFound,
        format!("nothing is at `{}`", request.uri().path()),
    )
}

async fn not_this_method(method: Method, request: Request) -> Refusal {
    Refusal::new(
        Code::MethodNotAllowed,
        format!("`{}` does not take {method}", request.uri().path()),
    )
}

async fn openapi_document() -> Answer {
    Ok(([content_type("application/json")], openapi::DOCUMENT).into_response())
}

async fn index() -> Answer {
    let text = concat!(
        "Trunkline ",
        env!("CARGO_PKG_VERSION"),
        ": durable workflows and ordered deliveries.\n\n",
        "/v1/openapi.json    the HTTP API\n",
        "/v1/runs            runs\n",
        "/v1/egress/destinations\n",
        "                    destinations and their jobs\n",
        "/v1/schedules       schedules\n",
        "/v1/events          what happens, as CloudEvents\n",
        "/v1/connect         workers connect here (WebSocket, trunkline.v1.cbor)\n",
        "/v1/errors/TL0010   what an error code means\n",
        "/healthz /readyz    is it alive, does it take work\n",
        "/metrics            figures for Prometheus\n",
    );
    Ok(([content_type("text/plain; charset=utf-8")], text).into_response())
}
