//! The OpenAPI 3.1 document, written by hand so that it reads well, and compared with the route table by a test.

/// The document, as it is served at `/v1/openapi.json`.
pub const DOCUMENT: &str = include_str!("../openapi.json");

#[cfg(test)]
mod tests;
