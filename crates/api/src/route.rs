//! The table of the HTTP API: which operations there are, and at which address.
//!
//! The server builds its router from it, by a `match` over [`Operation`]: an operation without a handler does not compile.
//! `openapi.json` is compared with it by a test.

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

macro_rules! routes {
    ($( $method:ident $path:literal $operation:ident $name:literal, )*) => {
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
            $( Route { method: Method::$method, path: $path, operation: Operation::$operation }, )*
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
}

routes! {
    Post "/v1/workflows/{workflow}/runs" StartRun "start_run",
    Get "/v1/runs" ListRuns "list_runs",
    Get "/v1/runs/count" CountRuns "count_runs",
    Get "/v1/workflows/{workflow}/runs/{id}" ShowRun "show_run",
    Get "/v1/workflows/{workflow}/runs/{id}/tree" ShowTree "show_tree",
    Get "/v1/workflows/{workflow}/runs/{id}/history" ShowHistory "show_history",
    Get "/v1/workflows/{workflow}/runs/{id}/export" ExportRun "export_run",
    Get "/v1/workflows/{workflow}/runs/{id}/result" AwaitResult "await_result",
    Get "/v1/workflows/{workflow}/runs/{id}/properties/{name}" ShowProperty "show_property",
    Post "/v1/workflows/{workflow}/runs/{id}/signals/{channel}" SignalRun "signal_run",
    Post "/v1/workflows/{workflow}/runs/{id}/methods/{method}" CallMethod "call_method",
    Get "/v1/workflows/{workflow}/runs/{id}/calls/{call}" AwaitMethod "await_method",
    Get "/v1/workflows/{workflow}/runs/{id}/queries/{query}" AskQuery "ask_query",
    Post "/v1/workflows/{workflow}/runs/{id}/queries/{query}" AskQueryWith "ask_query_with",
    Post "/v1/workflows/{workflow}/runs/{id}/complete-timers" CompleteTimers "complete_timers",
    Post "/v1/workflows/{workflow}/runs/{id}/cancel" CancelRun "cancel_run",
    Post "/v1/workflows/{workflow}/runs/{id}/terminate" TerminateRun "terminate_run",
    Post "/v1/workflows/{workflow}/runs/{id}/pause" PauseRun "pause_run",
    Post "/v1/workflows/{workflow}/runs/{id}/resume" ResumeRun "resume_run",
    Post "/v1/workflows/{workflow}/runs/{id}/retry" RetryRun "retry_run",
    Post "/v1/workflows/{workflow}/runs/{id}/fork" ForkRun "fork_run",
    Post "/v1/workflows/{workflow}/runs/{id}/purge" PurgeRun "purge_run",
    Post "/v1/workflows/{workflow}/tags/{tag}" ActOnTagged "act_on_tagged",
    Post "/v1/bulk" StartBulk "start_bulk",
    Get "/v1/bulk" ListBulk "list_bulk",
    Get "/v1/bulk/{id}" ShowBulk "show_bulk",
    Post "/v1/bulk/{id}/cancel" CancelBulk "cancel_bulk",
    Get "/v1/workflows/{workflow}/runs/{id}/tasks" ListTasks "list_tasks",
    Post "/v1/tasks/{task}/complete" CompleteTask "complete_task",
    Post "/v1/tasks/{task}/fail" FailTask "fail_task",
    Post "/v1/tasks/{task}/heartbeat" HeartbeatTask "heartbeat_task",
    Post "/v1/tasks/{task}/cancel" CancelTask "cancel_task",
    Get "/v1/egress/destinations" ListDestinations "list_destinations",
    Put "/v1/egress/destinations/{name}" PutDestination "put_destination",
    Get "/v1/egress/destinations/{name}" ShowDestination "show_destination",
    Post "/v1/egress/jobs" CreateJobs "create_jobs",
    Get "/v1/egress/destinations/{name}/jobs" ListJobs "list_jobs",
    Get "/v1/egress/destinations/{name}/jobs/{id}" ShowJob "show_job",
    Post "/v1/egress/destinations/{name}/jobs/{id}/replay" ReplayJob "replay_job",
    Post "/v1/egress/destinations/{name}/jobs/{id}/cancel" CancelJob "cancel_job",
    Post "/v1/egress/destinations/{name}/jobs/{id}/release" ReleaseJob "release_job",
    Post "/v1/egress/destinations/{name}/lanes/{lane}/release" ReleaseLane "release_lane",
    Post "/v1/egress/destinations/{name}/batches/{batch}/release" ReleaseBatch "release_batch",
    Post "/v1/egress/destinations/{name}/breaker/open" OpenBreaker "open_breaker",
    Post "/v1/egress/destinations/{name}/breaker/close" CloseBreaker "close_breaker",
    Get "/v1/credentials" ListCredentials "list_credentials",
    Put "/v1/credentials/{id}" PutCredential "put_credential",
    Get "/v1/credentials/{id}" ShowCredential "show_credential",
    Delete "/v1/credentials/{id}" DeleteCredential "delete_credential",
    Post "/v1/credentials/{id}/promote" PromoteCredential "promote_credential",
    Post "/v1/credentials/{id}/retire" RetireCredential "retire_credential",
    Post "/v1/credentials/{id}/test" TestCredential "test_credential",
    Get "/v1/key-ring" ShowKeyRing "show_key_ring",
    Post "/v1/key-ring/rotate" RotateKeys "rotate_keys",
    Get "/v1/schedules" ListSchedules "list_schedules",
    Put "/v1/schedules/{name}" PutSchedule "put_schedule",
    Get "/v1/schedules/{name}" ShowSchedule "show_schedule",
    Delete "/v1/schedules/{name}" DeleteSchedule "delete_schedule",
    Post "/v1/schedules/{name}/pause" PauseSchedule "pause_schedule",
    Post "/v1/schedules/{name}/resume" ResumeSchedule "resume_schedule",
    Post "/v1/schedules/{name}/trigger" TriggerSchedule "trigger_schedule",
    Post "/v1/schedules/{name}/backfill" BackfillSchedule "backfill_schedule",
    Get "/v1/events" Events "events",
    Get "/v1/connect" Connect "connect",
    Get "/v1/errors/{code}" ExplainCode "explain_code",
    Get "/v1/openapi.json" OpenApi "openapi",
    Get "/healthz" Healthz "healthz",
    Get "/readyz" Readyz "readyz",
    Get "/metrics" Metrics "metrics",
    Get "/" Index "index",
}
