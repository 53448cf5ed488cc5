//! `trunkline run tree`: what a run waits for, with its children.
//!
//! ```text
//! Order/42  running, suspended
//! │  run Parcel/42-1
//! │  run Parcel/42-2
//! ├─ Parcel/42-1  running
//! │     task 0 Post.send, attempt 2 in 950 ms
//! └─ Parcel/42-2  running, suspended
//!       a signal
//! ```

use crate::client::Client;
use crate::failure::Failure;
use crate::story::legible;
use std::io::{self, Write};
use trunkline_api::tree::RunTree;

pub(crate) fn show(
    path: &str,
    json: bool,
    client: &Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let answer = client.get(&format!("{path}/tree"))?;
    if json {
        writeln!(out, "{}", answer.text())?;
    } else {
        draw(&answer.read()?, "", out)?;
    }
    Ok(())
}

/// Draws a run and all below it. What is already drawn to the left goes on in each line.
fn draw(tree: &RunTree, left: &str, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{}/{}  ", tree.workflow, tree.id)?;
    let status = tree.status.as_deref();
    write!(out, "{}", status.unwrap_or("not there, or not yet"))?;
    if let Some(phase) = &tree.phase {
        write!(out, ", {phase}")?;
    }
    writeln!(out)?;
    let has_branches = !tree.children.is_empty() || tree.more;
    let trunk = if has_branches { "│  " } else { "   " };
    for wait in &tree.waits {
        writeln!(out, "{left}{trunk}{}", legible(wait))?;
    }
    for (place, child) in tree.children.iter().enumerate() {
        let is_last = place + 1 == tree.children.len() && !tree.more;
        let (branch, below) = if is_last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        write!(out, "{left}{branch}")?;
        draw(child, &format!("{left}{below}"), out)?;
    }
    if tree.more {
        writeln!(out, "{left}└─ …")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
