//! The table of the HTTP API: which operations there are, and at which address.
//!
//! The server builds its router from it, by a `match` over [`Operation`]: an operation without a handler does not compile, nor does a
//! route that does not say who may use it. `openapi.json` is compared with it by a test.

use crate::scope::{Needs, Scope};

/// A method of HTTP that the API uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Method {
    /// Reads.
    Get,
    /// Does something.
    Post,
    /// Creates or replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// As it is written in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may: a scope, whoever has a token, or everybody.
macro_rules! needs {
    (Nothing) => {
        Needs::Nothing
    };
    (Token) => {
        Needs::Token
    };
    ($scope:ident) => {
        Needs::Scope(Scope::$scope)
    };
}

macro_rules! routes {
    ($( $method:ident $path:literal $operation:ident $name:literal $needs:tt, )*) => {
        /// What a request may ask for. The names are the `operationId`s of the OpenAPI document.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Operation {
            $( #[doc = concat!("`", $path, "`")] $operation, )*
        }

        impl Operation {
            /// The `operationId`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $( Self::$operation => $name, )* }
            }
        }

        /// Every route, in the order in which the document lists them.
        pub const ROUTES: &[Route] = &[
            $( Route {
                method: Method::$method,
                path: $path,
                operation: Operation::$operation,
                needs: needs!($needs),
            }, )*
        ];
    };
}

/// One operation and where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// What it does.
    pub operation: Operation,
    /// What whoever asks for it has to have.
    pub needs: Needs,
}

routes! {
    Post "/v1/workflows/{workflow}/runs" StartRun "start_run" Run,
    Get "/v1/runs" ListRuns "list_runs" Read,
    Get "/v1/runs/count" CountRuns "count_runs" Read,
    Get "/v1/workflows/{workflow}/runs/{id}" ShowRun "show_run" Read,
    Get "/v1/workflows/{workflow}/runs/{id}/tree" ShowTree "show_tree" Read,
    Get "/v1/workflows/{workflow}/runs/{id}/history" ShowHistory "show_history" Read,
    Get "/v1/workflows/{workflow}/runs/{id}/export" ExportRun "export_run" Read,
    Get "/v1/workflows/{workflow}/runs/{id}/result" AwaitResult "await_result" Read,
    Get "/v1/workflows/{workflow}/runs/{id}/properties/{name}" ShowProperty "show_property" Read,
    Post "/v1/workflows/{workflow}/runs/{id}/signals/{channel}" SignalRun "signal_run" Run,
    Post "/v1/workflows/{workflow}/runs/{id}/methods/{method}" CallMethod "call_method" Run,
    Get "/v1/workflows/{workflow}/runs/{id}/calls/{call}" AwaitMethod "await_method" Read,
    Get "/v1/workflows/{workflow}/runs/{id}/queries/{query}" AskQuery "ask_query" Read,
    Post "/v1/workflows/{workflow}/runs/{id}/queries/{query}" AskQueryWith "ask_query_with" Read,
    Post "/v1/workflows/{workflow}/runs/{id}/complete-timers" CompleteTimers "complete_timers" Operate,
    Post "/v1/workflows/{workflow}/runs/{id}/cancel" CancelRun "cancel_run" Operate,
    Post "/v1/workflows/{workflow}/runs/{id}/terminate" TerminateRun "terminate_run" Operate,
    Post "/v1/workflows/{workflow}/runs/{id}/pause" PauseRun "pause_run" Operate,
    Post "/v1/workflows/{workflow}/runs/{id}/resume" ResumeRun "resume_run" Operate,
    Post "/v1/workflows/{workflow}/runs/{id}/retry" RetryRun "retry_run" Operate,
    Post "/v1/workflows/{workflow}/runs/{id}/fork" ForkRun "fork_run" Operate,
    Post "/v1/workflows/{workflow}/runs/{id}/purge" PurgeRun "purge_run" Operate,
    Post "/v1/workflows/{workflow}/tags/{tag}" ActOnTagged "act_on_tagged" Operate,
    Post "/v1/bulk" StartBulk "start_bulk" Operate,
    Get "/v1/bulk" ListBulk "list_bulk" Read,
    Get "/v1/bulk/{id}" ShowBulk "show_bulk" Read,
    Post "/v1/bulk/{id}/cancel" CancelBulk "cancel_bulk" Operate,
    Get "/v1/workflows/{workflow}/runs/{id}/tasks" ListTasks "list_tasks" Read,
    Post "/v1/tasks/{task}/complete" CompleteTask "complete_task" Run,
    Post "/v1/tasks/{task}/fail" FailTask "fail_task" Run,
    Post "/v1/tasks/{task}/heartbeat" HeartbeatTask "heartbeat_task" Run,
    Post "/v1/tasks/{task}/cancel" CancelTask "cancel_task" Operate,
    Get "/v1/egress/destinations" ListDestinations "list_destinations" Read,
    Put "/v1/egress/destinations/{name}" PutDestination "put_destination" EgressAdmin,
    Get "/v1/egress/destinations/{name}" ShowDestination "show_destination" Read,
    Post "/v1/egress/jobs" CreateJobs "create_jobs" Egress,
    Post "/v1/egress/jobs/bulk" StartJobBulk "start_job_bulk" Operate,
    Get "/v1/egress/objects/{type}/{id}" ShowObject "show_object" Read,
    Post "/v1/egress/destinations/{name}/enable" EnableDestination "enable_destination" Operate,
    Get "/v1/egress/destinations/{name}/lanes" ListLanes "list_lanes" Read,
    Get "/v1/egress/destinations/{name}/jobs" ListJobs "list_jobs" Read,
    Get "/v1/egress/destinations/{name}/jobs/{id}" ShowJob "show_job" Read,
    Post "/v1/egress/destinations/{name}/jobs/{id}/replay" ReplayJob "replay_job" Operate,
    Post "/v1/egress/destinations/{name}/jobs/{id}/cancel" CancelJob "cancel_job" Egress,
    Post "/v1/egress/destinations/{name}/jobs/{id}/release" ReleaseJob "release_job" Operate,
    Post "/v1/egress/destinations/{name}/lanes/{lane}/release" ReleaseLane "release_lane" Operate,
    Post "/v1/egress/destinations/{name}/batches/{batch}/release" ReleaseBatch "release_batch" Operate,
    Get "/v1/egress/limiters" ListLimiters "list_limiters" Read,
    Get "/v1/egress/limiters/{name}" ShowLimiter "show_limiter" Read,
    Put "/v1/egress/limiters/{name}" PutLimiter "put_limiter" EgressAdmin,
    Delete "/v1/egress/limiters/{name}" DeleteLimiter "delete_limiter" EgressAdmin,
    Post "/v1/egress/destinations/{name}/breaker/open" OpenBreaker "open_breaker" Operate,
    Post "/v1/egress/destinations/{name}/breaker/close" CloseBreaker "close_breaker" Operate,
    Get "/v1/credentials" ListCredentials "list_credentials" EgressAdmin,
    Put "/v1/credentials/{id}" PutCredential "put_credential" EgressAdmin,
    Get "/v1/credentials/{id}" ShowCredential "show_credential" EgressAdmin,
    Delete "/v1/credentials/{id}" DeleteCredential "delete_credential" EgressAdmin,
    Post "/v1/credentials/{id}/promote" PromoteCredential "promote_credential" EgressAdmin,
    Post "/v1/credentials/{id}/retire" RetireCredential "retire_credential" EgressAdmin,
    Post "/v1/credentials/{id}/test" TestCredential "test_credential" EgressAdmin,
    Get "/v1/key-ring" ShowKeyRing "show_key_ring" AdminRead,
    Post "/v1/key-ring/rotate" RotateKeys "rotate_keys" Admin,
    Get "/v1/schedules" ListSchedules "list_schedules" Read,
    Put "/v1/schedules/{name}" PutSchedule "put_schedule" Operate,
    Get "/v1/schedules/{name}" ShowSchedule "show_schedule" Read,
    Delete "/v1/schedules/{name}" DeleteSchedule "delete_schedule" Operate,
    Post "/v1/schedules/{name}/pause" PauseSchedule "pause_schedule" Operate,
    Post "/v1/schedules/{name}/resume" ResumeSchedule "resume_schedule" Operate,
    Post "/v1/schedules/{name}/trigger" TriggerSchedule "trigger_schedule" Operate,
    Post "/v1/schedules/{name}/backfill" BackfillSchedule "backfill_schedule" Operate,
    Get "/v1/access" ShowAccess "show_access" Token,
    Get "/v1/tokens" ListTokens "list_tokens" AdminRead,
    Post "/v1/tokens" CreateToken "create_token" Admin,
    Delete "/v1/tokens/{id}" RevokeToken "revoke_token" Admin,
    Get "/v1/tenants" ListTenants "list_tenants" AdminRead,
    Put "/v1/tenants/{name}" PutTenant "put_tenant" Admin,
    Get "/v1/tenants/{name}" ShowTenant "show_tenant" AdminRead,
    Delete "/v1/tenants/{name}" RemoveTenant "remove_tenant" Admin,
    Get "/v1/events" Events "events" Read,
    Get "/v1/connect" Connect "connect" Token,
    Get "/v1/errors/{code}" ExplainCode "explain_code" Token,
    Get "/v1/openapi.json" OpenApi "openapi" Token,
    Get "/healthz" Healthz "healthz" Nothing,
    Get "/readyz" Readyz "readyz" Nothing,
    Get "/metrics" Metrics "metrics" Read,
    Get "/" Index "index" Token,
}
