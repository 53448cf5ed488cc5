//! What programs ask for by themselves: tasks, timers, jobs.

use super::{DESTINATIONS, LANES, Machine, SERVICES};
use trunkline_core::egress::NewJob;
use trunkline_core::entry::{Command, TaskOptions};
use trunkline_core::ids::CommandId;
use trunkline_core::payload::{Name, Payload};
use trunkline_core::policy::RetryPolicy;
use trunkline_core::time::Timestamp;

impl Machine {
    pub(super) fn claim(&mut self) -> CommandId {
        self.next_command += 1;
        CommandId(self.next_command - 1)
    }

    pub(super) fn task(&mut self) -> Command {
        let command = self.claim();
        self.waits.insert(command);
        let retry = RetryPolicy {
            initial_ms: self.dice.between(20, 400),
            factor_percent: 200,
            max_ms: 2_000,
            attempts: self.dice.below(4) as u32,
            jitter_percent: 20,
            non_retryable: vec![Name::from("Hopeless")],
            ..RetryPolicy::default()
        };
        let options = TaskOptions {
            retry: Some(retry),
            attempt_timeout_ms: Some(self.dice.between(300, 3_000)),
            total_timeout_ms: self
                .dice
                .percent(15)
                .then(|| self.dice.between(2_000, 9_000)),
            heartbeat_timeout_ms: self.dice.percent(20).then(|| self.dice.between(100, 1_500)),
            grace_ms: Some(self.dice.below(400)),
            ..TaskOptions::default()
        };
        Command::ScheduleTask {
            command,
            service: Name::from(*self.dice.pick(&SERVICES)),
            task: Name::from("charge"),
            input: Payload::from(format!("\"{}\"", command.0).into_bytes()),
            options: Box::new(options),
        }
    }

    pub(super) fn timer(&mut self, at: Timestamp) -> Command {
        let command = self.claim();
        self.waits.insert(command);
        Command::StartTimer {
            command,
            at,
            call: None,
        }
    }

    pub(super) fn job(&mut self) -> Command {
        let command = self.claim();
        let job = NewJob {
            destination: Name::from(*self.dice.pick(&DESTINATIONS)),
            lane: Name::from(*self.dice.pick(&LANES)),
            object_type: Name::from("stock"),
            action: Name::from("update"),
            object_ids: vec![Name::from(command.0.to_string())],
            body: Payload::from(self.heard.to_string().into_bytes()),
            ..NewJob::default()
        };
        Command::CreateJob {
            command,
            job: Box::new(job),
        }
    }
}
