//! User values as payloads: one JSON document each.

use serde::Serialize;
use serde::de::DeserializeOwned;
use trunkline_api::core::code::Code;
use trunkline_api::core::failure::{Failure, FailureKind};
use trunkline_api::core::payload::Payload;

/// Writes a value. Fails for what JSON cannot say, such as a map whose keys are not strings.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, Failure> {
    match serde_json::to_vec(value) {
        Ok(bytes) => Ok(Payload::from(bytes)),
        Err(error) => Err(mismatch(&format!(
            "a value of type {} cannot be written as JSON: {error}",
            std::any::type_name::<T>()
        ))),
    }
}

/// Reads a value.
pub(crate) fn decode<T: DeserializeOwned>(payload: &Payload) -> Result<T, Failure> {
    serde_json::from_slice(payload).map_err(|error| {
        mismatch(&format!(
            "a payload of {} bytes is not a {}: {error}",
            payload.len(),
            std::any::type_name::<T>()
        ))
    })
}

fn mismatch(message: &str) -> Failure {
    let mut failure = coded(
        FailureKind::Application,
        Code::PayloadMismatch,
        message.to_owned(),
    );
    failure.non_retryable = true;
    failure
}

/// A failure that carries a documented code.
pub(crate) fn coded(kind: FailureKind, code: Code, message: String) -> Failure {
    Failure::new(kind, code.to_string(), message)
}
