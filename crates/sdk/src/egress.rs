//! Shipping jobs out from workflow code.

use crate::cx::Cx;
use crate::error::{Error, Result};
use serde::Serialize;
use trunkline_api::core::egress::{NewJob, ObjectRef};
use trunkline_api::core::entry::Command;
use trunkline_api::core::ids::JobId;
use trunkline_api::core::payload::{Name, Payload};
use trunkline_api::core::time::Timestamp;

/// A job for a destination. Nothing is shipped until [`send`](Self::send).
///
/// ```
/// # use trunkline::prelude::*;
/// # fn workflow(cx: Cx) -> trunkline::Result<()> {
/// cx.egress("shop").lane("SKU-1").object("stock").action("update").id("SKU-1").body(&42).send()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is shipped until `send`"]
pub struct JobBuilder {
    cx: Cx,
    job: NewJob,
    broken: Option<Error>,
}

impl JobBuilder {
    pub(crate) fn new(cx: &Cx, destination: Name) -> Self {
        Self {
            cx: cx.clone(),
            job: NewJob {
                destination,
                ..NewJob::default()
            },
            broken: None,
        }
    }

    /// The ordering key: jobs of one lane arrive in the order of their creation, one at a time.
    pub fn lane(mut self, lane: impl Into<Name>) -> Self {
        self.job.lane = lane.into();
        self
    }

    /// What kind of object it is about, such as `stock`.
    pub fn object(mut self, object_type: impl Into<Name>) -> Self {
        self.job.object_type = object_type.into();
        self
    }

    /// What happened to it: `create`, `update`, `delete`, or a word of your own.
    pub fn action(mut self, action: impl Into<Name>) -> Self {
        self.job.action = action.into();
        self
    }

    /// An object that it is about.
    pub fn id(mut self, id: impl Into<Name>) -> Self {
        self.job.object_ids.push(id.into());
        self
    }

    /// The objects that it is about.
    pub fn ids<N: Into<Name>>(mut self, ids: impl IntoIterator<Item = N>) -> Self {
        self.job.object_ids.extend(ids.into_iter().map(Into::into));
        self
    }

    /// The body to deliver, as JSON.
    pub fn body(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        match Cx::encode(body) {
            Ok(body) => self.job.body = body,
            Err(error) => self.broken = Some(error),
        }
        self
    }

    /// The body is not here: it comes from the destination's metadata API when the job leaves, so that the newest state is sent.
    pub fn resolve(mut self) -> Self {
        self.job.resolve = Some(true);
        self.job.body = Payload::null();
        self
    }

    /// Not to be delivered before this time.
    pub fn not_before(mut self, at: Timestamp) -> Self {
        self.job.not_before = Some(at);
        self
    }

    /// Not to be delivered any more from this time on.
    pub fn expires_at(mut self, at: Timestamp) -> Self {
        self.job.expires_at = Some(at);
        self
    }

    /// One of a batch: it waits for the jobs of the batch with a lower stage that were accepted before it.
    pub fn stage(mut self, batch: impl Into<Name>, stage: u32) -> Self {
        self.job.batch = Some(batch.into());
        self.job.stage = Some(stage);
        self
    }

    /// It waits for the jobs about this object that were accepted before it.
    pub fn after(mut self, object_type: impl Into<Name>, object_id: impl Into<Name>) -> Self {
        self.job.depends_on.get_or_insert_default().push(ObjectRef {
            object_type: object_type.into(),
            object_id: object_id.into(),
        });
        self
    }

    /// Accepts the job with the turn's commit, and gives its identity, which is also its idempotency key.
    ///
    /// # Errors
    /// If the body could not be written as JSON.
    pub fn send(self) -> Result<JobId> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let ledger = &self.cx.ledger;
        let job = self.job;
        let command = ledger.create(|command| Command::CreateJob {
            command,
            job: Box::new(job),
        });
        let identity = &ledger.identity;
        Ok(JobId::of_command(
            identity.id.key(),
            identity.started_at.0,
            command,
        ))
    }
}
