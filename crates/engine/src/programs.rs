//! Programs: expressions that have been compiled, kept by their text.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use trunkline_core::payload::Name;
use trunkline_expr::{Fault, Program};

/// Programs that are kept. Past it all are forgotten, and compiled again as they are needed.
const PROGRAMS_MAX: usize = 10_000;

/// What has been compiled of expressions of one kind.
#[derive(Debug, Default)]
pub(crate) struct Programs(Mutex<HashMap<Name, Arc<Program>>>);

impl Programs {
    /// The program of `source`, which `compile` makes of it if it is not here.
    pub(crate) fn get(
        &self,
        source: &Name,
        compile: fn(&str) -> Result<Program, Fault>,
    ) -> Result<Arc<Program>, Fault> {
        let mut programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = programs.get(source) {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(compile(source)?);
        if programs.len() >= PROGRAMS_MAX {
            programs.clear();
        }
        programs.insert(source.clone(), Arc::clone(&program));
        Ok(program)
    }
}
