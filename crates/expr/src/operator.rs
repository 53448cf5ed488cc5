//! Operators: arithmetic, order and equality.
//!
//! Two integers give an integer. A decimal with an integer or another decimal gives a decimal. A double with anything but a
//! decimal gives a double. A decimal with a double is refused: the double has already lost what the decimal is there to keep.

use crate::fault::{Fault, FaultKind};
use crate::meter::Meter;
use crate::value::Value;
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::sync::Arc;

/// An arithmetic operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// An operator of order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// A pair of numbers on common ground.
enum Pair {
    Whole(i64, i64),
    Double(f64, f64),
    Exact(Decimal, Decimal),
}

fn pair(left: &Value, right: &Value) -> Option<Pair> {
    Some(match (left, right) {
        (Value::Whole(a), Value::Whole(b)) => Pair::Whole(*a, *b),
        (Value::Exact(a), Value::Exact(b)) => Pair::Exact(*a, *b),
        (Value::Exact(a), Value::Whole(b)) => Pair::Exact(*a, Decimal::from(*b)),
        (Value::Whole(a), Value::Exact(b)) => Pair::Exact(Decimal::from(*a), *b),
        (Value::Double(a), Value::Double(b)) => Pair::Double(*a, *b),
        (Value::Double(a), Value::Whole(b)) => Pair::Double(*a, *b as f64),
        (Value::Whole(a), Value::Double(b)) => Pair::Double(*a as f64, *b),
        _ => return None,
    })
}

impl Arithmetic {
    fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// `left self right`.
    pub(crate) fn apply(
        self,
        left: &Value,
        right: &Value,
        meter: &mut Meter,
    ) -> Result<Value, Fault> {
        let result = match pair(left, right) {
            Some(Pair::Whole(a, b)) => match self {
                Self::Add => a.checked_add(b),
                Self::Subtract => a.checked_sub(b),
                Self::Multiply => a.checked_mul(b),
                Self::Divide => a.checked_div(b),
                Self::Remainder => a.checked_rem(b),
            }
            .map(Value::Whole),
            Some(Pair::Double(a, b)) => Some(Value::Double(match self {
                Self::Add => a + b,
                Self::Subtract => a - b,
                Self::Multiply => a * b,
                Self::Divide => a / b,
                Self::Remainder => a % b,
            })),
            Some(Pair::Exact(a, b)) => match self {
                Self::Add => a.checked_add(b),
                Self::Subtract => a.checked_sub(b),
                Self::Multiply => a.checked_mul(b),
                Self::Divide => a.checked_div(b),
                Self::Remainder => a.checked_rem(b),
            }
            .map(Value::Exact),
            None => return self.apply_to_others(left, right, meter),
        };
        result.ok_or_else(|| self.out_of_range())
    }

    /// Text and lists add up; times and spans add up and subtract.
    fn apply_to_others(
        self,
        left: &Value,
        right: &Value,
        meter: &mut Meter,
    ) -> Result<Value, Fault> {
        let result = match (self, left, right) {
            (Self::Add, Value::Text(a), Value::Text(b)) => {
                meter.take(left.weight() + right.weight())?;
                Some(Value::Text(Arc::from(format!("{a}{b}"))))
            }
            (Self::Add, Value::List(a), Value::List(b)) => {
                meter.take(left.weight() + right.weight())?;
                Some(Value::list(a.iter().chain(b.iter()).cloned().collect()))
            }
            (Self::Add, Value::Time(at), Value::Span(span))
            | (Self::Add, Value::Span(span), Value::Time(at)) => {
                at.checked_add(*span).ok().map(Value::Time)
            }
            (Self::Subtract, Value::Time(at), Value::Span(span)) => {
                at.checked_sub(*span).ok().map(Value::Time)
            }
            (Self::Subtract, Value::Time(a), Value::Time(b)) => {
                Some(Value::Span(a.duration_since(*b)))
            }
            (Self::Add, Value::Span(a), Value::Span(b)) => a.checked_add(*b).map(Value::Span),
            (Self::Subtract, Value::Span(a), Value::Span(b)) => a.checked_sub(*b).map(Value::Span),
            _ => return Err(refused(self.sign(), left, right)),
        };
        result.ok_or_else(|| self.out_of_range())
    }

    fn out_of_range(self) -> Fault {
        let message = format!("`{}`: division by zero, or overflow", self.sign());
        Fault::new(FaultKind::Value, message)
    }
}

impl Order {
    fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// `left self right`.
    pub(crate) fn holds(
        self,
        left: &Value,
        right: &Value,
        meter: &mut Meter,
    ) -> Result<bool, Fault> {
        meter.take(left.weight().min(right.weight()))?;
        let ordering = match (pair(left, right), left, right) {
            (Some(Pair::Whole(a, b)), ..) => a.cmp(&b),
            (Some(Pair::Exact(a, b)), ..) => a.cmp(&b),
            // Nothing is less or more than what is not a number.
            (Some(Pair::Double(a, b)), ..) => match a.partial_cmp(&b) {
                Some(ordering) => ordering,
                None => return Ok(false),
            },
            (None, Value::Text(a), Value::Text(b)) => a.cmp(b),
            (None, Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (None, Value::Time(a), Value::Time(b)) => a.cmp(b),
            (None, Value::Span(a), Value::Span(b)) => a.cmp(b),
            _ => return Err(refused(self.sign(), left, right)),
        };
        Ok(match self {
            Self::Less => ordering == Ordering::Less,
            Self::AtMost => ordering != Ordering::Greater,
            Self::Greater => ordering == Ordering::Greater,
            Self::AtLeast => ordering != Ordering::Less,
        })
    }
}

/// Equality: numbers by value, whatever their type; values of different types are not equal.
pub(crate) fn equal(left: &Value, right: &Value, meter: &mut Meter) -> Result<bool, Fault> {
    meter.take(left.weight().min(right.weight()))?;
    Ok(match (pair(left, right), left, right) {
        (Some(Pair::Whole(a, b)), ..) => a == b,
        (Some(Pair::Double(a, b)), ..) => a == b,
        (Some(Pair::Exact(a, b)), ..) => a == b,
        (None, Value::Null, Value::Null) => true,
        (None, Value::Bool(a), Value::Bool(b)) => a == b,
        (None, Value::Text(a), Value::Text(b)) => a == b,
        (None, Value::Time(a), Value::Time(b)) => a == b,
        (None, Value::Span(a), Value::Span(b)) => a == b,
        (None, Value::Type(a), Value::Type(b)) => a == b,
        (None, Value::List(a), Value::List(b)) => {
            let mut same = a.len() == b.len();
            for (a, b) in a.iter().zip(b.iter()) {
                same = same && equal(a, b, meter)?;
            }
            same
        }
        (None, Value::Map(a), Value::Map(b)) => {
            let mut same = a.len() == b.len();
            for ((a_name, a), (b_name, b)) in a.iter().zip(b.iter()) {
                same = same && a_name == b_name && equal(a, b, meter)?;
            }
            same
        }
        _ => false,
    })
}

/// True if `wanted` is an item of a list, a field of a map, or part of a text.
pub(crate) fn holds(container: &Value, wanted: &Value, meter: &mut Meter) -> Result<bool, Fault> {
    match (container, wanted) {
        (Value::List(items), _) => {
            for item in items.iter() {
                if equal(item, wanted, meter)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Value::Map(_), _) => Ok(container.item(wanted).is_some()),
        (Value::Text(text), Value::Text(part)) => {
            meter.take(container.weight())?;
            Ok(text.contains(&**part))
        }
        _ => Err(refused("in", wanted, container)),
    }
}

/// The fault of an operator that does not take these types.
pub(crate) fn refused(sign: &str, left: &Value, right: &Value) -> Fault {
    let (left, right) = (left.kind(), right.kind());
    Fault::new(
        FaultKind::Type,
        format!("`{sign}` does not take {left} and {right}"),
    )
}
