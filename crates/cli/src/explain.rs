//! `trunkline explain TL0042`: the page of a code, without a server.

use crate::failure::Failure;
use std::io::Write;
use trunkline_api::core::code::Code;
use trunkline_api::explain::{code_of, page};

/// Prints the page of a code.
pub(crate) fn explain(text: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(code) = code_of(text) else {
        return Err(Failure::new(
            Code::NotFound,
            format!("there is no code `{text}`; codes look like TL0010"),
        ));
    };
    write!(out, "{}", page(code))?;
    Ok(())
}
