//! A compiled expression, and its evaluation.

use crate::check::Check;
use crate::evaluation::Evaluation;
use crate::fault::{Fault, FaultKind, Place};
use crate::limits::Limits;
use crate::predicate::Predicate;
use crate::value::Value;
use cel::ParseErrors;
use cel::common::ast::{IdedExpr, SourceInfo};
use cel::parser::{Parser, PrattParser};
use jiff::Timestamp;
use serde_json::Value as Json;

/// The variable with the time of an evaluation.
const NOW: &str = "now";

/// An expression that may be evaluated. Cheap to share, expensive to make: keep it.
#[derive(Debug)]
pub struct Program {
    source: String,
    tree: IdedExpr,
    places: SourceInfo,
    limits: Limits,
}

/// What an evaluation works on: variables, each a JSON value, and the time.
#[derive(Debug)]
pub struct Inputs {
    variables: Vec<(String, Value)>,
    now: Timestamp,
}

impl Inputs {
    /// No variables yet; `now` in the expression is `now_ms` milliseconds after 1970, at the latest the end of the year 9999.
    #[must_use]
    pub fn at(now_ms: u64) -> Self {
        let now = i64::try_from(now_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Self {
            variables: Vec::new(),
            now: now.unwrap_or(Timestamp::MAX),
        }
    }

    /// Gives a variable its value.
    #[must_use]
    pub fn with(mut self, name: &str, value: &Json) -> Self {
        self.variables
            .push((name.to_owned(), Value::of_json(value)));
        self
    }
}

impl Program {
    /// Compiles `source`, which may name `variables`, and `now`.
    ///
    /// # Errors
    /// A [`Fault`] of the kind `Syntax`, `Limit` or `UnknownName`, with its place.
    pub fn compile(source: &str, variables: &[&str], limits: Limits) -> Result<Self, Fault> {
        if source.len() > limits.source_bytes_max {
            let message = format!(
                "the expression has {} bytes, and {} is the limit",
                source.len(),
                limits.source_bytes_max
            );
            return Err(Fault::new(FaultKind::Limit, message));
        }
        // The first parser bounds its recursion and the nodes that macros make. Only what it admits reaches the second, which
        // knows where everything is.
        let depth = u16::try_from(limits.depth_max).unwrap_or(u16::MAX);
        PrattParser::new()
            .max_recursion_depth(depth)
            .max_expression_node_count(limits.nodes_max)
            .parse(source)
            .map_err(|errors| syntax(&errors))?;
        let (tree, places) = Parser::new()
            .max_recursion_depth(depth.saturating_mul(4))
            .parse_with_source_info(source)
            .map_err(|errors| syntax(&errors))?;
        let mut known = variables.to_vec();
        known.push(NOW);
        let place = |id| place_of(&places, source, id);
        Check {
            limits: &limits,
            variables: &known,
            place: &place,
            nodes: 0,
        }
        .node(&tree, 1, 0, &mut Vec::new())?;
        Ok(Self {
            source: source.to_owned(),
            tree,
            places,
            limits,
        })
    }

    /// Compiles a predicate tree.
    ///
    /// # Errors
    /// As [`Program::compile`]; places are those of [`Predicate::source`].
    pub fn of_predicate(
        predicate: &Predicate,
        variables: &[&str],
        limits: Limits,
    ) -> Result<Self, Fault> {
        Self::compile(&predicate.source()?, variables, limits)
    }

    /// What it was compiled from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// A [`Fault`] of the kind `Missing`, `Type`, `Value` or `Limit`, with its place.
    pub fn evaluate(&self, inputs: &Inputs) -> Result<Json, Fault> {
        let mut bytes_left = self.limits.result_bytes_max;
        self.value(inputs)?.to_json(&mut bytes_left)
    }

    /// Evaluates an expression whose result is true or false.
    ///
    /// # Errors
    /// As [`Program::evaluate`]; another result is a fault of the kind `Type`.
    pub fn holds(&self, inputs: &Inputs) -> Result<bool, Fault> {
        match self.value(inputs)? {
            Value::Bool(holds) => Ok(holds),
            other => {
                let message = format!(
                    "the result is of type {}, and true or false is wanted",
                    other.kind()
                );
                Err(Fault::new(FaultKind::Type, message))
            }
        }
    }

    fn value(&self, inputs: &Inputs) -> Result<Value, Fault> {
        let place = |id| place_of(&self.places, &self.source, id);
        let mut scope: Vec<(&str, Value)> = vec![(NOW, Value::Time(inputs.now))];
        let given = inputs.variables.iter();
        scope.extend(given.map(|(name, value)| (name.as_str(), value.clone())));
        Evaluation::new(scope, self.limits.steps_max, &place).value(&self.tree)
    }
}

fn place_of(places: &SourceInfo, source: &str, id: u64) -> Option<Place> {
    let (start, _) = places.offset_for(id)?;
    Some(Place::at(source, start as usize))
}

fn syntax(errors: &ParseErrors) -> Fault {
    let Some(error) = errors.errors.first() else {
        return Fault::new(FaultKind::Syntax, "the source is not an expression");
    };
    let is_limit = error.msg.contains("recursion limit") || error.msg.contains("expression count");
    let kind = if is_limit {
        FaultKind::Limit
    } else {
        FaultKind::Syntax
    };
    let (line, column) = error.pos;
    let place = usize::try_from(line).ok().zip(usize::try_from(column).ok());
    Fault::new(kind, error.msg.clone()).at(place.filter(|(line, _)| *line > 0).map(
        |(line, column)| Place {
            line,
            column: column.max(1),
        },
    ))
}
