//! The tree of a run: what it waits for, and what its children wait for.
//!
//! It is read run by run, the nearest first, so that it is as true as the moments at which its parts were read.

use crate::answer::{Answer, Refusal, json};
use crate::app::{App, unexpected};
use crate::input::Names;
use axum::extract::State;
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::core::ids::RunId;
use trunkline_api::core::peer::{Op, Reply};
use trunkline_api::name;
use trunkline_api::problem::Problem;
use trunkline_api::tree::{RunTree, TREE_RUNS_MAX};

/// A run that was read, and whose child it is.
struct Node {
    parent: usize,
    tree: RunTree,
}

/// `GET /v1/workflows/{workflow}/runs/{id}/tree`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Names((workflow, id)): Names<(String, String)>,
) -> Answer {
    let mut runs = vec![(0, name::run(&workflow, &id)?)];
    let mut nodes: Vec<Node> = Vec::new();
    // Runs behind `nodes` have not been read yet.
    while let Some((parent, run)) = runs.get(nodes.len()).cloned() {
        let known = read(&app, &run).await;
        let (mut tree, children) = match known {
            Ok(known) => known,
            // A child that is not there any more, or not yet.
            Err(problem) if is_unknown(&problem) && !nodes.is_empty() => {
                (RunTree::unknown(&run.workflow, &run.id), Vec::new())
            }
            Err(problem) => return Err(problem.into()),
        };
        let place = nodes.len();
        let room = TREE_RUNS_MAX - runs.len();
        tree.more |= children.len() > room;
        runs.extend(children.into_iter().take(room).map(|child| (place, child)));
        nodes.push(Node { parent, tree });
    }
    json(&assembled(nodes)?)
}

fn is_unknown(problem: &Problem) -> bool {
    problem.code == Code::RunNotFound
}

/// A run without its children, and these.
async fn read(app: &App, run: &RunId) -> Result<(RunTree, Vec<RunId>), Problem> {
    let mut tree = RunTree::unknown(&run.workflow, &run.id);
    match app.ask(Op::DescribeRun { run: run.clone() }).await? {
        Reply::Run(described) => tree = tree.described(&described),
        other => return Err(unexpected(&other)),
    }
    match app.ask(Op::Waits { run: run.clone() }).await? {
        Reply::Waits(waits) => tree.waits = waits.iter().map(ToString::to_string).collect(),
        other => return Err(unexpected(&other)),
    }
    match app.ask(Op::Relatives { run: run.clone() }).await? {
        Reply::Relatives { children, more, .. } => {
            tree.more = more;
            Ok((tree, children))
        }
        other => Err(unexpected(&other)),
    }
}

/// Children stand behind their parents, so the last ones go first.
fn assembled(mut nodes: Vec<Node>) -> Result<RunTree, Refusal> {
    while nodes.len() > 1 {
        if let Some(Node { parent, tree }) = nodes.pop() {
            nodes[parent].tree.children.insert(0, tree);
        }
    }
    let root = nodes.pop().map(|node| node.tree);
    root.ok_or_else(|| Refusal::new(Code::Internal, "the tree has no root"))
}
