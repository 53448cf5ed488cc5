//! The functions of the language: those of CEL's standard library that make sense for JSON, and ours.
//!
//! | function | is |
//! | --- | --- |
//! | `size(x)` | characters of a text, items of a list, fields of a map |
//! | `contains`, `startsWith`, `endsWith`, `matches` | as in CEL; `matches` takes RE2's syntax |
//! | `int`, `double`, `string`, `bool`, `timestamp`, `duration`, `dyn`, `type` | conversions, as in CEL |
//! | `getFullYear` … `getMilliseconds` | parts of a time, in a time zone if one is named; of a span, its total |
//! | `decimal(x)` | an exact number of text or an integer |
//! | `round(d, places)` | a decimal rounded half to even |
//! | `get(object, key, default)` | the field or item, or `default` if it is missing or null |
//! | `path(value, "$.a.b[0]")`, `present(…)` | what is there, or null; true if something that is not null is there |
//! | `lower(s)`, `upper(s)`, `trim(s)` | text in lower case, in upper case, without blanks at its ends |
//! | `split(s, separator)`, `join(list, separator)`, `replace(s, from, to)` | text in parts and together |
//! | `holds(list, map or text, x)` | true if `x` is in it |
//!
//! All of them can be written `f(x, …)` and `x.f(…)`. `now` is a variable: the time that the caller gave.

mod convert;
mod text;
mod time;

use crate::fault::{Fault, FaultKind};
use crate::meter::Meter;
use crate::operator;
use crate::predicate::path::Path;
use crate::value::Value;
use cel::common::ast::operators;

/// Every function with how many arguments it takes, what it is called on included.
const FUNCTIONS: [(&str, usize, usize); 36] = [
    ("bool", 1, 1),
    ("contains", 2, 2),
    ("decimal", 1, 1),
    ("double", 1, 1),
    ("duration", 1, 1),
    ("dyn", 1, 1),
    ("endsWith", 2, 2),
    ("get", 3, 3),
    ("getDate", 1, 2),
    ("getDayOfMonth", 1, 2),
    ("getDayOfWeek", 1, 2),
    ("getDayOfYear", 1, 2),
    ("getFullYear", 1, 2),
    ("getHours", 1, 2),
    ("getMilliseconds", 1, 2),
    ("getMinutes", 1, 2),
    ("getMonth", 1, 2),
    ("getSeconds", 1, 2),
    ("holds", 2, 2),
    ("int", 1, 1),
    ("join", 2, 2),
    ("lower", 1, 1),
    ("matches", 2, 2),
    ("path", 2, 2),
    ("present", 2, 2),
    ("replace", 3, 3),
    ("round", 2, 2),
    ("size", 1, 1),
    ("split", 2, 2),
    ("startsWith", 2, 2),
    ("string", 1, 1),
    ("timestamp", 1, 1),
    ("trim", 1, 1),
    ("type", 1, 1),
    ("uint", 1, 1),
    ("upper", 1, 1),
];

/// Operators that the parser makes calls of.
const OPERATORS: [&str; 18] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::NOT_STRICTLY_FALSE,
    operators::NEGATE,
    operators::ADD,
    operators::SUBSTRACT,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::IN,
];

/// Why a call with so many arguments cannot be made; nothing if it can.
pub(crate) fn refusal(name: &str, arguments: usize) -> Option<(FaultKind, String)> {
    if OPERATORS.contains(&name) || name == operators::INDEX {
        return None;
    }
    match FUNCTIONS.iter().find(|(other, ..)| *other == name) {
        None => Some((
            FaultKind::UnknownName,
            format!("there is no function `{name}`"),
        )),
        Some((_, least, most)) if arguments < *least || arguments > *most => {
            let message =
                format!("`{name}` takes {least} to {most} arguments, and these are {arguments}");
            Some((FaultKind::Type, message))
        }
        Some(_) => None,
    }
}

/// Calls a function.
pub(crate) fn call(name: &str, arguments: &[Value], meter: &mut Meter) -> Result<Value, Fault> {
    meter.take(0)?;
    match (name, arguments) {
        ("size", [Value::Text(text)]) => {
            meter.take(text.len() / 8)?;
            Ok(Value::Whole(text.chars().count() as i64))
        }
        ("size", [Value::List(items)]) => Ok(Value::Whole(items.len() as i64)),
        ("size", [Value::Map(fields)]) => Ok(Value::Whole(fields.len() as i64)),
        ("dyn", [value]) => Ok(value.clone()),
        ("type", [value]) => Ok(Value::Type(value.kind())),
        ("holds", [container, wanted]) => {
            Ok(Value::Bool(operator::holds(container, wanted, meter)?))
        }
        ("get", [object, key, default]) => Ok(match object.item(key) {
            None | Some(Value::Null) => default.clone(),
            Some(found) => found.clone(),
        }),
        ("path", [value, Value::Text(path)]) => {
            Ok(follow(value, path, meter)?.unwrap_or(Value::Null))
        }
        ("present", [value, Value::Text(path)]) => {
            let found = follow(value, path, meter)?;
            Ok(Value::Bool(
                found.is_some_and(|found| !matches!(found, Value::Null)),
            ))
        }
        _ => text::call(name, arguments, meter)
            .or_else(|| convert::call(name, arguments))
            .or_else(|| time::call(name, arguments))
            .unwrap_or_else(|| {
                let kinds: Vec<&str> = arguments.iter().map(Value::kind).collect();
                let message = format!("`{name}` does not take {}", kinds.join(", "));
                Err(Fault::new(FaultKind::Type, message))
            }),
    }
}

fn follow(value: &Value, path: &str, meter: &mut Meter) -> Result<Option<Value>, Fault> {
    meter.take(path.len())?;
    let path = Path::parse(path)?;
    let mut here = value;
    for step in path.steps() {
        match here.item(&step.key()) {
            Some(next) => here = next,
            None => return Ok(None),
        }
    }
    Ok(Some(here.clone()))
}
