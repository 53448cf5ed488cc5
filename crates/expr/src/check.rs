//! The check of a parsed tree: how large it is, and that it names only what there is.

use crate::fault::{Fault, FaultKind, Place};
use crate::functions;
use crate::limits::Limits;
use crate::value::TYPES;
use cel::common::ast::{EntryExpr, Expr, IdedExpr};

/// What the tree is checked against.
pub(crate) struct Check<'a> {
    pub(crate) limits: &'a Limits,
    /// The variables that an evaluation will have.
    pub(crate) variables: &'a [&'a str],
    /// Where a node is.
    pub(crate) place: &'a dyn Fn(u64) -> Option<Place>,
    /// Nodes seen so far.
    pub(crate) nodes: usize,
}

impl<'a> Check<'a> {
    /// Checks `node` and what is under it. `bound` are the variables of the comprehensions around it.
    pub(crate) fn node(
        &mut self,
        node: &'a IdedExpr,
        depth: usize,
        nesting: usize,
        bound: &mut Vec<&'a str>,
    ) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes_max {
            let message = format!(
                "the expression has more than {} parts",
                self.limits.nodes_max
            );
            return Err(Fault::new(FaultKind::Limit, message));
        }
        if depth > self.limits.depth_max {
            let message = format!("it is nested deeper than {} levels", self.limits.depth_max);
            return Err(Fault::new(FaultKind::Limit, message).at((self.place)(node.id)));
        }
        let depth = depth + 1;
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                let name = name.trim_start_matches('.');
                let known = bound.contains(&name)
                    || self.variables.contains(&name)
                    || TYPES.contains(&name);
                if !known {
                    let message = format!(
                        "there is no variable `{name}`; there are {}",
                        list(self.variables)
                    );
                    return Err(
                        Fault::new(FaultKind::UnknownName, message).at((self.place)(node.id))
                    );
                }
            }
            Expr::Select(select) => self.node(&select.operand, depth, nesting, bound)?,
            Expr::Call(call) => {
                let arguments = call.args.len() + usize::from(call.target.is_some());
                if let Some((kind, message)) = functions::refusal(&call.func_name, arguments) {
                    return Err(Fault::new(kind, message).at((self.place)(node.id)));
                }
                for part in call.target.as_deref().into_iter().chain(&call.args) {
                    self.node(part, depth, nesting, bound)?;
                }
            }
            Expr::List(items) => {
                for item in &items.elements {
                    self.node(item, depth, nesting, bound)?;
                }
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.node(&entry.key, depth, nesting, bound)?;
                        self.node(&entry.value, depth, nesting, bound)?;
                    }
                }
            }
            Expr::Struct(made) => {
                let message = format!("there is no type `{}`", made.type_name);
                return Err(Fault::new(FaultKind::UnknownName, message).at((self.place)(node.id)));
            }
            Expr::Comprehension(rounds) => {
                if nesting == self.limits.nesting_max {
                    let message =
                        format!("a loop in a loop may go {} deep", self.limits.nesting_max);
                    return Err(Fault::new(FaultKind::Limit, message).at((self.place)(node.id)));
                }
                self.node(&rounds.iter_range, depth, nesting, bound)?;
                self.node(&rounds.accu_init, depth, nesting, bound)?;
                let outer = bound.len();
                bound.push(&rounds.accu_var);
                self.node(&rounds.result, depth, nesting + 1, bound)?;
                bound.push(&rounds.iter_var);
                bound.extend(rounds.iter_var2.as_deref());
                self.node(&rounds.loop_cond, depth, nesting + 1, bound)?;
                self.node(&rounds.loop_step, depth, nesting + 1, bound)?;
                bound.truncate(outer);
            }
        }
        Ok(())
    }
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
