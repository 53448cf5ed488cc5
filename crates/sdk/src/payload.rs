//! User values as payloads: one JSON document each.

use serde::Serialize;
use serde::de::DeserializeOwned;
use trunkline_api::core::code::Code;
use trunkline_api::core::failure::{Failure, FailureKind};
use trunkline_api::core::limits::PAYLOAD_BYTES_MAX;
use trunkline_api::core::payload::Payload;

/// Writes a value. Fails for what JSON cannot say, such as a map whose keys are not strings, and for what is too large.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Payload, Failure> {
    match serde_json::to_vec(value) {
        Ok(bytes) if bytes.len() > PAYLOAD_BYTES_MAX => {
            let mut failure = coded(
                FailureKind::Application,
                Code::PayloadTooLarge,
                format!(
                    "a value of type {} takes {} bytes, the limit is {PAYLOAD_BYTES_MAX}; keep large values in a store of \
                     their own and pass a reference",
                    std::any::type_name::<T>(),
                    bytes.len()
                ),
            );
            failure.non_retryable = true;
            Err(failure)
        }
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
