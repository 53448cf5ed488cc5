//! One evaluation of a parsed tree.
//!
//! It goes through the tree as it is. Every node is a step of the meter, so an evaluation ends however the tree was made; the
//! depth of the tree is bounded when it is compiled, and with it the stack.

use crate::fault::{Fault, FaultKind, Place};
use crate::functions;
use crate::meter::Meter;
use crate::operator::{self, Arithmetic, Order};
use crate::value::{TYPES, Value};
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, SelectExpr,
    operators,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The state of an evaluation.
pub(crate) struct Evaluation<'a> {
    /// Variables, the innermost last.
    scope: Vec<(&'a str, Value)>,
    meter: Meter,
    /// Where a node is in the source.
    place: &'a dyn Fn(u64) -> Option<Place>,
}

type Answer = Result<Value, Fault>;

impl<'a> Evaluation<'a> {
    pub(crate) fn new(
        scope: Vec<(&'a str, Value)>,
        steps: u64,
        place: &'a dyn Fn(u64) -> Option<Place>,
    ) -> Self {
        Self {
            scope,
            meter: Meter::new(steps),
            place,
        }
    }

    /// The value of `node`, or the fault with the place of the innermost node that has it.
    pub(crate) fn value(&mut self, node: &'a IdedExpr) -> Answer {
        self.meter.take(0)?;
        let value = match &node.expr {
            Expr::Literal(literal) => literal_value(literal),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.values(&list.elements).map(Value::list),
            Expr::Map(map) => self.map(map),
            Expr::Comprehension(rounds) => self.comprehension(rounds),
            Expr::Struct(_) | Expr::Unspecified => Err(unsupported("messages")),
        };
        value.map_err(|fault| match fault.place {
            Some(_) => fault,
            None => fault.at((self.place)(node.id)),
        })
    }

    fn values(&mut self, nodes: &'a [IdedExpr]) -> Result<Vec<Value>, Fault> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn variable(&self, name: &str) -> Answer {
        let name = name.trim_start_matches('.');
        let innermost = self.scope.iter().rev().find(|(other, _)| *other == name);
        if let Some((_, value)) = innermost {
            return Ok(value.clone());
        }
        match TYPES.iter().find(|kind| **kind == name) {
            Some(kind) => Ok(Value::Type(kind)),
            None => Err(Fault::new(
                FaultKind::UnknownName,
                format!("there is no variable `{name}`"),
            )),
        }
    }

    fn select(&mut self, select: &'a SelectExpr) -> Answer {
        let operand = self.value(&select.operand)?;
        let Value::Map(fields) = &operand else {
            let message = format!(
                "`{}` is asked of a value of type {}",
                select.field,
                operand.kind()
            );
            return Err(Fault::new(FaultKind::Type, message));
        };
        let found = fields.get(select.field.as_str());
        if select.test {
            return Ok(Value::Bool(found.is_some()));
        }
        found.cloned().ok_or_else(|| missing(&select.field))
    }

    fn map(&mut self, map: &'a MapExpr) -> Answer {
        let mut fields = BTreeMap::new();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err(unsupported("messages"));
            };
            let Value::Text(name) = self.value(&entry.key)? else {
                return Err(Fault::new(FaultKind::Type, "the names of a map are text"));
            };
            let value = self.value(&entry.value)?;
            if fields.insert(Arc::clone(&name), value).is_some() {
                return Err(Fault::new(
                    FaultKind::Value,
                    format!("the name `{name}` is there twice"),
                ));
            }
        }
        Ok(Value::Map(Arc::new(fields)))
    }

    fn call(&mut self, call: &'a CallExpr) -> Answer {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => self.logic(left, right, false),
            (operators::LOGICAL_OR, [left, right]) => self.logic(left, right, true),
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let branch = if self.truth(condition)? { yes } else { no };
                self.value(branch)
            }
            (operators::LOGICAL_NOT, [operand]) => Ok(Value::Bool(!self.truth(operand)?)),
            (operators::NOT_STRICTLY_FALSE, [operand]) => match self.truth(operand) {
                Err(fault) if fault.kind == FaultKind::Limit => Err(fault),
                truth => Ok(Value::Bool(truth.unwrap_or(true))),
            },
            (operators::NEGATE, [operand]) => {
                let operand = self.value(operand)?;
                let zero = Value::Whole(0);
                Arithmetic::Subtract.apply(&zero, &operand, &mut self.meter)
            }
            (name, [left, right]) if call.target.is_none() => {
                if let Some(result) = self.binary(name, left, right) {
                    return result;
                }
                self.function(call)
            }
            _ => self.function(call),
        }
    }

    /// A function: what it is called on is its first argument.
    fn function(&mut self, call: &'a CallExpr) -> Answer {
        let mut arguments = Vec::with_capacity(call.args.len() + 1);
        if let Some(target) = &call.target {
            arguments.push(self.value(target)?);
        }
        arguments.append(&mut self.values(&call.args)?);
        functions::call(&call.func_name, &arguments, &mut self.meter)
    }

    /// An operator with two operands; nothing if `name` is none.
    fn binary(&mut self, name: &str, left: &'a IdedExpr, right: &'a IdedExpr) -> Option<Answer> {
        enum Operator {
            Arithmetic(Arithmetic),
            Order(Order),
            Equal(bool),
            Index,
            In,
        }
        let operator = match name {
            operators::ADD => Operator::Arithmetic(Arithmetic::Add),
            operators::SUBSTRACT => Operator::Arithmetic(Arithmetic::Subtract),
            operators::MULTIPLY => Operator::Arithmetic(Arithmetic::Multiply),
            operators::DIVIDE => Operator::Arithmetic(Arithmetic::Divide),
            operators::MODULO => Operator::Arithmetic(Arithmetic::Remainder),
            operators::LESS => Operator::Order(Order::Less),
            operators::LESS_EQUALS => Operator::Order(Order::AtMost),
            operators::GREATER => Operator::Order(Order::Greater),
            operators::GREATER_EQUALS => Operator::Order(Order::AtLeast),
            operators::EQUALS => Operator::Equal(true),
            operators::NOT_EQUALS => Operator::Equal(false),
            operators::INDEX => Operator::Index,
            operators::IN => Operator::In,
            _ => return None,
        };
        let mut apply = || {
            let (left, right) = (self.value(left)?, self.value(right)?);
            let meter = &mut self.meter;
            Ok(match operator {
                Operator::Arithmetic(operator) => operator.apply(&left, &right, meter)?,
                Operator::Order(order) => Value::Bool(order.holds(&left, &right, meter)?),
                Operator::Equal(wanted) => {
                    Value::Bool(operator::equal(&left, &right, meter)? == wanted)
                }
                Operator::In => Value::Bool(operator::holds(&right, &left, meter)?),
                Operator::Index => match (&left, &right) {
                    (Value::Map(_), Value::Text(_)) | (Value::List(_), Value::Whole(_)) => {
                        let key = right.shown().unwrap_or_default();
                        left.item(&right).cloned().ok_or_else(|| missing(&key))?
                    }
                    _ => return Err(operator::refused("[]", &left, &right)),
                },
            })
        };
        Some(apply())
    }

    /// `&&` (`decides` is false) and `||` (`decides` is true): a side that decides makes up for a fault of the other.
    fn logic(&mut self, left: &'a IdedExpr, right: &'a IdedExpr, decides: bool) -> Answer {
        let first = self.truth(left);
        match first {
            Ok(truth) if truth == decides => return Ok(Value::Bool(decides)),
            // What the limits end stays ended.
            Err(fault) if fault.kind == FaultKind::Limit => return Err(fault),
            _ => {}
        }
        match (first, self.truth(right)?) {
            (_, second) if second == decides => Ok(Value::Bool(decides)),
            (Ok(_), second) => Ok(Value::Bool(second)),
            (Err(fault), _) => Err(fault),
        }
    }

    fn truth(&mut self, node: &'a IdedExpr) -> Result<bool, Fault> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            other => {
                let message = format!(
                    "true or false is wanted, and this is of type {}",
                    other.kind()
                );
                Err(Fault::new(FaultKind::Type, message).at((self.place)(node.id)))
            }
        }
    }

    fn comprehension(&mut self, rounds: &'a ComprehensionExpr) -> Answer {
        let items: Vec<Value> = match self.value(&rounds.iter_range)? {
            Value::List(items) => items.to_vec(),
            Value::Map(fields) => fields
                .keys()
                .map(|name| Value::Text(Arc::clone(name)))
                .collect(),
            other => {
                let message = format!(
                    "a loop goes through a list or a map, and this is of type {}",
                    other.kind()
                );
                return Err(
                    Fault::new(FaultKind::Type, message).at((self.place)(rounds.iter_range.id))
                );
            }
        };
        if rounds.iter_var2.is_some() {
            return Err(unsupported("loops with two variables"));
        }
        self.meter.take(items.len())?;
        let gathered = self.value(&rounds.accu_init)?;
        let outer = self.scope.len();
        self.scope.push((&rounds.accu_var, gathered));
        let result = self.rounds(rounds, items, outer);
        self.scope.truncate(outer);
        result
    }

    fn rounds(
        &mut self,
        rounds: &'a ComprehensionExpr,
        items: Vec<Value>,
        gathered: usize,
    ) -> Answer {
        for item in items {
            if !self.truth(&rounds.loop_cond)? {
                break;
            }
            self.scope.push((&rounds.iter_var, item));
            let stepped = self.step(&rounds.loop_step, &rounds.accu_var, gathered);
            self.scope.pop();
            stepped?;
        }
        self.value(&rounds.result)
    }

    /// One round: replaces what has gathered so far, or adds to it in place.
    fn step(&mut self, node: &'a IdedExpr, name: &str, gathered: usize) -> Result<(), Fault> {
        let is_gathered =
            |node: &IdedExpr| matches!(&node.expr, Expr::Ident(other) if other == name);
        if is_gathered(node) {
            return Ok(());
        }
        if let Expr::Call(call) = &node.expr {
            match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::CONDITIONAL, [condition, yes, no]) => {
                    let branch = if self.truth(condition)? { yes } else { no };
                    return self.step(branch, name, gathered);
                }
                (operators::ADD, [left, right]) if is_gathered(left) => {
                    let added = self.value(right)?;
                    let so_far = std::mem::replace(&mut self.scope[gathered].1, Value::Null);
                    self.scope[gathered].1 = match (so_far, added) {
                        (Value::List(mut items), Value::List(added)) => {
                            self.meter.take(added.len())?;
                            Arc::make_mut(&mut items).extend(added.iter().cloned());
                            Value::List(items)
                        }
                        (so_far, added) => {
                            Arithmetic::Add.apply(&so_far, &added, &mut self.meter)?
                        }
                    };
                    return Ok(());
                }
                _ => {}
            }
        }
        let value = self.value(node)?;
        self.scope[gathered].1 = value;
        Ok(())
    }
}

fn literal_value(literal: &LiteralValue) -> Answer {
    Ok(match literal {
        LiteralValue::Null => Value::Null,
        LiteralValue::Boolean(value) => Value::Bool(*value.inner()),
        LiteralValue::Int(number) => Value::Whole(*number.inner()),
        LiteralValue::Double(number) => Value::Double(*number.inner()),
        LiteralValue::String(text) => Value::text(text.inner()),
        LiteralValue::UInt(number) => Value::Whole(
            i64::try_from(*number.inner())
                .map_err(|_| Fault::new(FaultKind::Value, "a whole number has at most 63 bits"))?,
        ),
        LiteralValue::Bytes(_) => return Err(unsupported("bytes")),
    })
}

fn missing(name: &str) -> Fault {
    let name: String = name.chars().take(80).collect();
    Fault::new(FaultKind::Missing, format!("there is no `{name}`"))
}

/// What CEL has and this language has not.
pub(crate) fn unsupported(what: &str) -> Fault {
    Fault::new(
        FaultKind::Syntax,
        format!("{what} are not part of this language"),
    )
}
