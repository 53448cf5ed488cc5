//! API tokens in files and in the environment, never on a command line: that everybody on the machine could read.

use crate::failure::Failure;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use trunkline_api::core::code::Code;
use trunkline_server::engine::vault::ApiToken;

/// The variable with the token itself, for containers.
const VARIABLE: &str = "TRUNKLINE_TOKEN";

/// The token of a client: from its file, or else from the environment, or none.
pub(crate) fn of_client(file: Option<&Path>) -> Result<Option<ApiToken>, Failure> {
    if let Some(file) = file {
        return read(file).map(Some);
    }
    match env::var(VARIABLE) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => parsed(&text, VARIABLE).map(Some),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(no_token(VARIABLE)),
    }
}

/// The token in `file`, which is made with a fresh one that only its owner may read if it is missing.
pub(crate) fn read_or_create(file: &Path) -> Result<ApiToken, Failure> {
    if file.exists() {
        return read(file);
    }
    let token =
        ApiToken::fresh().map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut made| {
            writeln!(made, "{}", token.reveal())?;
            made.sync_all()
        });
    match written {
        Ok(()) => Ok(token),
        // Another server was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read(file),
        Err(error) => Err(unusable(file, &error)),
    }
}

fn read(file: &Path) -> Result<ApiToken, Failure> {
    let text = fs::read_to_string(file).map_err(|error| unusable(file, &error))?;
    parsed(&text, &file.display().to_string())
}

fn parsed(text: &str, place: &str) -> Result<ApiToken, Failure> {
    ApiToken::parse(text.trim()).ok_or_else(|| no_token(place))
}

/// What is there instead is not shown: it may be another secret.
fn no_token(place: &str) -> Failure {
    let detail = format!("{place} holds no token: one is `tl_` and 60 characters more");
    Failure::new(Code::ConfigInvalid, detail)
}

fn unusable(file: &Path, error: &std::io::Error) -> Failure {
    let detail = format!("the token file {}: {error}", file.display());
    Failure::new(Code::ConfigInvalid, detail)
}
