//! Versions of workflows: a run that names none gets the newest that a worker has registered, a child like any other.

use crate::workflows::Workflows;
use trunkline_core::entry::Command;
use trunkline_core::peer::FromPeer;

/// Fills in the versions of the children that a worker's turn starts. Of a workflow that nobody knows it stays absent, and
/// the core refuses the start.
pub(crate) fn fill_in(workflows: &Workflows, report: &mut FromPeer) {
    let turn = match report {
        FromPeer::TurnDone(turn) => turn,
        FromPeer::TaskDone {
            then: Some(turn), ..
        }
        | FromPeer::StepDone {
            then: Some(turn), ..
        } => turn,
        _ => return,
    };
    for command in &mut turn.commands {
        if let Command::StartChild { run, version, .. } = command
            && version.is_none()
        {
            *version = workflows.newest(&run.workflow);
        }
    }
}
