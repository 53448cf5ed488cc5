//! What a request brings, read and checked: names in the address, the query, the body.

use crate::answer::Refusal;
use crate::app::App;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::{HeaderMap, header, request::Parts};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::json;

/// The names in the address.
pub(crate) struct Names<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Names<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        match Path::<T>::from_request_parts(parts, app).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(rejection) => Err(Refusal::new(Code::NameInvalid, rejection.body_text())),
        }
    }
}

/// The query.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Refusal> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let text = rejection.body_text();
                let code = if text.contains("unknown field") {
                    Code::UnknownField
                } else {
                    Code::WrongType
                };
                Err(Refusal::new(code, text))
            }
        }
    }
}

/// A JSON body that must be there.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        Ok(Self(json::parse(&read(request, app).await?)?))
    }
}

/// A JSON body that may be left out.
pub(crate) struct Optional<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for Optional<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        if hyper::body::Body::is_end_stream(request.body()) {
            return Ok(Self(T::default()));
        }
        Ok(Self(json::parse(&read(request, app).await?)?))
    }
}

/// A JSON body as it came, for those that may have one of several shapes.
pub(crate) struct Unread(pub(crate) Bytes);

impl FromRequest<Arc<App>> for Unread {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        read(request, app).await.map(Self)
    }
}

async fn read(request: Request, app: &App) -> Result<Bytes, Refusal> {
    check_is_json(request.headers())?;
    let max = app.config.body_bytes_max;
    let too_large = || {
        let detail = format!("the body is larger than {max} bytes");
        Refusal::new(Code::PayloadTooLarge, detail)
    };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|announced| announced > max as u64) {
        return Err(too_large());
    }
    match Limited::new(request.into_body(), max).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Refusal::new(
            Code::MalformedJson,
            format!("the body broke off: {error}"),
        )),
    }
}

/// `application/json`, or a type of one's own that ends in `+json`; with or without parameters.
fn check_is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = declared.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json") {
        return Ok(());
    }
    let detail = if kind.is_empty() {
        "the header `Content-Type: application/json` is missing".to_owned()
    } else {
        format!("`Content-Type` is `{kind}`, not `application/json`")
    };
    Err(Refusal::new(Code::MediaType, detail))
}
