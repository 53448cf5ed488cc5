//! `trunkline egress release …`: what waits for an operator goes on.

use super::{destination_path, job_path};
use crate::args::ReleaseCommand;
use crate::client::{Client, encoded};
use crate::failure::Failure;
use crate::numbers::grouped;
use std::io::Write;
use trunkline_api::egress::{ReleaseLane, Released};

/// Does what the command says.
pub(super) fn release(
    command: ReleaseCommand,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match command {
        ReleaseCommand::Lane {
            destination,
            lane,
            give_up,
        } => {
            let lane_path = format!(
                "{}/lanes/{}",
                destination_path(&destination),
                encoded(&lane)
            );
            client.post(&format!("{lane_path}/release"), &ReleaseLane { give_up })?;
            writeln!(out, "lane {lane} goes on")?;
        }
        ReleaseCommand::Job(job) => {
            client.post_nothing(&format!("{}/release", job_path(&job)))?;
            writeln!(out, "{} waits for no other job", job.id)?;
        }
        ReleaseCommand::Batch { destination, batch } => {
            let path = format!(
                "{}/batches/{}",
                destination_path(&destination),
                encoded(&batch)
            );
            let released: Released = client.post_nothing(&format!("{path}/release"))?.read()?;
            writeln!(out, "{} jobs released", grouped(released.count))?;
        }
    }
    Ok(())
}
