//! Error codes: every refusal and failure that a user can see has one, a page in `docs/errors/`, and `trunkline explain`.
//!
//! A code is never reused for another meaning.

use core::fmt;
use minicbor::{Decode, Encode};

macro_rules! codes {
    ($( $number:literal $name:ident $status:literal $title:literal, )*) => {
        /// A documented error. The number is its `TL….` code.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
        #[cbor(index_only)]
        pub enum Code {
            $( #[doc = $title] #[n($number)] $name, )*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            /// The number in `TL0042`.
            #[must_use]
            pub fn number(self) -> u16 {
                match self { $( Self::$name => $number, )* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $( Self::$name => $status, )* }
            }

            /// What it means, in a few words.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $( Self::$name => $title, )* }
            }
        }
    };
}

codes! {
    1  MalformedJson 400 "the body is not well-formed JSON",
    2  UnknownField 400 "the body has a field that the request does not know",
    3  WrongType 400 "a field is missing or has the wrong type",
    4  PayloadTooLarge 413 "a payload or body is larger than the limit",
    5  HeaderTooLarge 431 "the request's headers are larger than the limit",
    6  NameInvalid 400 "a name is empty, too long, or has a character that is not allowed",
    7  NotFound 404 "there is nothing at this address",
    8  MethodNotAllowed 405 "the address does not take this method",
    9  UnknownWorkflow 404 "no worker has ever registered this workflow",
    10 RunNotFound 404 "there is no such run",
    11 RunExists 409 "a run with this id exists",
    12 RunFinished 409 "the run has ended",
    13 RunNotPaused 409 "the run is not paused",
    14 PropertyNotFound 404 "the run has no such property",
    15 HistoryFull 409 "the run's history has reached its limit",
    16 TokenStale 409 "the lease is no longer held: the answer came too late",
    17 TurnConflict 409 "the run has moved on since the turn began",
    18 TooManyTags 400 "too many tags",
    19 DestinationNotFound 404 "there is no such destination",
    20 DestinationInvalid 400 "the destination's settings are not usable",
    21 JobNotFound 404 "there is no such job",
    22 JobNotDead 409 "the job is not a dead letter",
    23 JobSettled 409 "the job has reached its final state",
    24 TooManyItems 400 "the request has too many items",
    25 DiskFull 507 "the disk is full: new work is refused until there is space",
    26 Overloaded 503 "too much work is waiting: try again later",
    27 ShuttingDown 503 "the server is stopping",
    28 KeyCollision 409 "two different ids have the same key",
    29 ProtocolError 400 "the peer broke the worker protocol",
    30 CursorInvalid 400 "the page cursor is not usable",
    31 MediaType 415 "the body is not application/json",
    40 DataFolderInUse 503 "another process has the data folder",
    41 DataFolderVersion 503 "the data folder has a format that this version does not read",
    42 JournalDamaged 503 "the journal is damaged",
    43 JournalPoisoned 503 "a write to the journal failed: the process stops",
    44 DataFolderSettings 400 "the data folder was made with other settings",
    45 StoreDamaged 503 "the checkpoint store is damaged",
    46 AddressInUse 503 "the address to listen on is taken",
    47 ConfigInvalid 400 "a setting is not usable",
    48 ServerUnreachable 503 "the server does not answer",
    50 ChildFailed 409 "a child failed",
    51 RunReplaced 409 "another run has taken the id of the run",
    52 RunTimedOut 504 "the run took longer than its time-out",
    55 TooManyMethods 409 "too many methods of the run have not returned",
    56 UnknownMethod 404 "the workflow has no such method or query",
    57 QueryTimedOut 504 "no worker answered the query in time",
    58 QueryFailed 409 "the query could not be answered",
    59 CallNotFound 404 "the run has no such call of a method",
    53 ChildCancelled 409 "a child was cancelled",
    54 ChildTerminated 409 "a child was terminated",
    60 CsvColumns 400 "the CSV file lacks columns",
    61 CsvLine 400 "a line of the CSV file is broken",
    62 BulkNotFound 404 "there is no such bulk operation",
    63 BulkExists 409 "a different bulk operation has this id",
    64 RunNotEnded 409 "the run has not ended",
    65 RetryNotPossible 409 "the run has nothing to retry",
    66 CutInvalid 400 "the run's history has no such command",
    67 TooManyBulks 409 "too many bulk operations are kept",
    70 TaskPanicked 500 "the task panicked",
    71 TaskTimedOut 504 "the attempt took too long",
    72 TaskTotalTimeout 504 "the attempts together took too long",
    73 WorkflowPanicked 500 "the workflow's code panicked",
    74 HistoryMismatch 409 "the workflow's code no longer matches the run's history",
    75 ForeignAwait 409 "workflow code awaited something that is not durable",
    76 RunCancelled 409 "the run was cancelled",
    77 RunTerminated 409 "the run was terminated",
    78 UnknownTask 404 "the service has no such task",
    79 PayloadMismatch 400 "a payload does not have the type that the code expects",
    80 TaskCancelled 409 "the task was cancelled",
    81 HeartbeatTimeout 504 "the attempt was silent for too long",
    82 TaskEnded 409 "the task has ended, or has its answer",
    83 TaskNotFound 404 "there is no such task",
    84 BatchItemMissing 500 "the batch gave no result for this item",
    85 ScheduleNotFound 404 "there is no such schedule",
    86 CronInvalid 400 "a rule of when to fire is not usable",
    87 ZoneUnknown 400 "there is no such time zone",
    88 ScheduleInvalid 400 "the schedule's settings are not usable",
    90 Internal 500 "an error inside Trunkline",
    91 EventsGone 410 "the events are no longer kept",
    92 FeedOff 409 "no events are kept",
    93 EventTypeUnknown 400 "no event has this type",
    94 HistoryFileInvalid 400 "the file is no history that this version reads",
    95 ReplayFailed 409 "a history does not replay with this code",
    100 JobTooLate 409 "the time of the job is over already",
    101 LaneNotParked 409 "the lane does not stand still",
    102 BreakerClosed 409 "the breaker is closed",
    103 LimiterNotFound 404 "there is no such limiter",
    104 LimiterInvalid 400 "the limiter's settings are not usable",
    105 LimiterInUse 409 "jobs need the limiter",
    110 Unauthenticated 401 "the request has no valid token",
    111 ScopeMissing 403 "the token has not the scope that this needs",
    112 TokenNotFound 404 "there is no such token",
    113 TokenInvalid 400 "the token that is asked for is not possible",
    114 TenantNotFound 404 "there is no such tenant",
    115 TenantInvalid 400 "the tenant that is asked for is not possible",
    116 TenantNotEmpty 409 "the tenant is not empty",
    117 TenantUnavailable 503 "the tenant's data cannot be used",
    118 TenantBusy 429 "the tenant asks more often than its limit allows",
    119 TenantFull 429 "the tenant has as much as its limits allow",
    120 AddressForbidden 409 "a destination's address is not allowed",
    121 ConnectorCheckFailed 409 "the connector does not keep the contract",
    122 ManifestInvalid 400 "the connector's manifest is not usable",
    123 ConnectorAnswerInvalid 502 "the connector's answer is not as the contract has it",
    124 Unresolved 409 "the body of a job could not be resolved",
    125 LaneInvalid 400 "the expression of a destination's lanes is not usable",
    126 LaneUnknown 409 "the destination's expression gives the job no lane",
    127 NotPaused 409 "the destination is not paused",
    130 CredentialNotFound 404 "there is no such credential",
    131 CredentialInvalid 400 "the credential's settings are not usable",
    132 CredentialInUse 409 "destinations use the credential",
    133 NoKeyRing 409 "the server has no key ring",
    134 KeyRingWrong 503 "the key ring does not open what is stored",
    135 KeyRingInvalid 400 "the key file is not usable",
    136 CredentialFailed 502 "the credential cannot be used",
    137 NoSuchVersion 409 "the credential has no version in that stage",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TL{:04}", self.number())
    }
}
