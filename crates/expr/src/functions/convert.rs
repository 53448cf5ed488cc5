//! Conversions between types.

use crate::fault::{Fault, FaultKind};
use crate::value::Value;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Decimal places that a decimal can have.
const PLACES_MAX: i64 = 28;

/// Calls a conversion; nothing if it is none, or does not take these.
pub(super) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, Fault>> {
    let converted = match (name, arguments) {
        ("bool", [Value::Bool(value)]) => Some(Value::Bool(*value)),
        ("bool", [Value::Text(text)]) => match &**text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        ("int" | "uint", [value]) => whole(value)?.map(Value::Whole),
        ("double", [value]) => double(value)?.map(Value::Double),
        ("string", [value]) => Some(Value::text(&value.shown()?)),
        ("decimal", [value]) => return Some(exact(value)?.map(Value::Exact)),
        ("round", [value, Value::Whole(places)]) => {
            let places = u32::try_from(*places)
                .ok()
                .filter(|places| i64::from(*places) <= PLACES_MAX);
            let Some(places) = places else {
                let message = format!("`round` takes 0 to {PLACES_MAX} places");
                return Some(Err(Fault::new(FaultKind::Value, message)));
            };
            return Some(exact(value)?.map(|exact| Value::Exact(exact.round_dp(places))));
        }
        _ => return None,
    };
    Some(converted.ok_or_else(|| {
        let shown = arguments.first().and_then(Value::shown).unwrap_or_default();
        let shown: String = shown.chars().take(40).collect();
        Fault::new(
            FaultKind::Value,
            format!("`{name}`: `{shown}` cannot be converted"),
        )
    }))
}

/// The outer option is the type, the inner the value.
#[expect(
    clippy::option_option,
    reason = "a type that is not taken and a value that is not are different faults"
)]
fn whole(value: &Value) -> Option<Option<i64>> {
    Some(match value {
        Value::Whole(number) => Some(*number),
        // The whole numbers that a double can hold and an integer too.
        Value::Double(number) if number.abs() < 9.2e18 => Some(number.trunc() as i64),
        Value::Double(_) => None,
        Value::Exact(number) => number.trunc().to_i64(),
        Value::Text(text) => text.parse().ok(),
        Value::Time(at) => Some(at.as_second()),
        _ => return None,
    })
}

#[expect(clippy::option_option, reason = "as above")]
fn double(value: &Value) -> Option<Option<f64>> {
    Some(match value {
        Value::Whole(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::Exact(number) => number.to_f64(),
        Value::Text(text) => text.parse().ok(),
        _ => return None,
    })
}

fn exact(value: &Value) -> Option<Result<Decimal, Fault>> {
    Some(match value {
        Value::Whole(number) => Ok(Decimal::from(*number)),
        Value::Exact(number) => Ok(*number),
        Value::Text(text) => Decimal::from_str_exact(text.trim()).map_err(|error| {
            let text: String = text.chars().take(40).collect();
            Fault::new(FaultKind::Value, format!("`{text}` is no decimal: {error}"))
        }),
        Value::Double(number) => {
            let message = format!(
                "{number} is a double and has lost its exact value: keep it as text in the JSON"
            );
            Err(Fault::new(FaultKind::Value, message))
        }
        _ => return None,
    })
}
