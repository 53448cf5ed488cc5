//! Credentials and the key ring. What a request brings of secrets is sealed at once, and no answer has any.

use crate::access::home_only;
use crate::answer::{Answer, done, json};
use crate::app::App;
use crate::input::{Body, Names, Optional};
use axum::extract::State;
use std::sync::Arc;
use trunkline_api::core::code::Code;
use trunkline_api::core::payload::Name;
use trunkline_api::core::time::Timestamp;
use trunkline_api::credential::{
    AuthenticationBody, ClientAuthBody, CredentialBody, CredentialList, CredentialTested,
    DESCRIPTION_BYTES_MAX, KeyRingBody, PlaceBody, PutCredential, RotateKeys, TestCredential,
    VersionBody,
};
use trunkline_api::name::name;
use trunkline_api::problem::Problem;
use trunkline_engine::vault::{ClientAuth, Draft, Place, Secret, Settings, Stage, Version};
use trunkline_engine::{CredentialStatus, NewCredential, TestCall};

/// The longest overlap: a year.
const OVERLAP_MS_MAX: u64 = 366 * 24 * 3_600_000;

/// `GET /v1/credentials`
pub(crate) async fn list(State(app): State<Arc<App>>) -> Answer {
    let all = app.engine.credentials().await.map_err(Problem::from)?;
    json(&CredentialList {
        credentials: all.iter().map(shown).collect(),
    })
}

/// `PUT /v1/credentials/{id}`
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Names(id): Names<String>,
    Body(request): Body<PutCredential>,
) -> Answer {
    let description = request.description;
    if description
        .as_ref()
        .is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX)
    {
        let detail = format!("`description` has more than {DESCRIPTION_BYTES_MAX} bytes");
        return Err(Problem::new(Code::CredentialInvalid, detail).into());
    }
    if request.overlap_ms.is_some_and(|ms| ms > OVERLAP_MS_MAX) {
        let detail = format!("`overlap_ms` goes from 0 to {OVERLAP_MS_MAX}");
        return Err(Problem::new(Code::CredentialInvalid, detail).into());
    }
    let (settings, secret) = taken(request.authentication);
    let new = NewCredential {
        id: name("id", &id)?,
        description,
        overlap_ms: request.overlap_ms,
        draft: Draft {
            settings,
            secret,
            pending: request.pending,
        },
    };
    let status = app.engine.put_credential(new).await;
    json(&shown(&status.map_err(Problem::from)?))
}

/// `GET /v1/credentials/{id}`
pub(crate) async fn show(State(app): State<Arc<App>>, Names(id): Names<String>) -> Answer {
    let status = app.engine.credential(&name("id", &id)?).await;
    json(&shown(&status.map_err(Problem::from)?))
}

/// `DELETE /v1/credentials/{id}`
pub(crate) async fn delete(State(app): State<Arc<App>>, Names(id): Names<String>) -> Answer {
    let deleted = app.engine.delete_credential(name("id", &id)?).await;
    deleted.map_err(Problem::from)?;
    done()
}

/// `POST /v1/credentials/{id}/promote`
pub(crate) async fn promote(State(app): State<Arc<App>>, Names(id): Names<String>) -> Answer {
    let status = app.engine.promote_credential(name("id", &id)?).await;
    json(&shown(&status.map_err(Problem::from)?))
}

/// `POST /v1/credentials/{id}/retire`
pub(crate) async fn retire(State(app): State<Arc<App>>, Names(id): Names<String>) -> Answer {
    let status = app.engine.retire_credential(name("id", &id)?).await;
    json(&shown(&status.map_err(Problem::from)?))
}

/// `POST /v1/credentials/{id}/test`
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    Names(id): Names<String>,
    Optional(request): Optional<TestCredential>,
) -> Answer {
    let call = TestCall {
        url: request.url.map(Name::from),
        method: Name::from(request.method.as_deref().unwrap_or("GET")),
        pending: request.pending,
    };
    let tested = app.engine.test_credential(&name("id", &id)?, call).await;
    let tested = tested.map_err(Problem::from)?;
    json(&CredentialTested {
        accepted: tested
            .status
            .is_some_and(|status| status != 401 && status != 403),
        url: tested.url.to_string(),
        version: tested.version,
        status: tested.status,
        detail: tested.detail,
        took_ms: tested.took_ms,
    })
}

/// `GET /v1/key-ring`
pub(crate) async fn key_ring(State(app): State<Arc<App>>) -> Answer {
    // All tenants have it together.
    home_only(&app)?;
    json(&ring(&app, None)?)
}

/// `POST /v1/key-ring/rotate`
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    Optional(request): Optional<RotateKeys>,
) -> Answer {
    let house = home_only(&app)?;
    let resealed = app.engine.rotate_keys(!request.reload).await;
    let mut resealed = resealed.map_err(Problem::from)?;
    for tenant in house.others() {
        let more = tenant.app.engine.reseal_credentials().await;
        resealed += more.map_err(Problem::from)?;
    }
    json(&ring(&app, Some(resealed))?)
}

fn ring(app: &App, resealed: Option<usize>) -> Result<KeyRingBody, Problem> {
    let ring = app.engine.key_ring().map_err(Problem::from)?;
    Ok(KeyRingBody {
        versions: ring.versions().collect(),
        newest: ring.newest(),
        resealed,
    })
}

fn taken(body: AuthenticationBody) -> (Settings, Secret) {
    match body {
        AuthenticationBody::Basic { user, password } => {
            (Settings::Basic { user }, Secret::new(password.0))
        }
        AuthenticationBody::Bearer { token } => (Settings::Bearer, Secret::new(token.0)),
        AuthenticationBody::ApiKey { place, name, key } => {
            let place = match place {
                PlaceBody::Header => Place::Header,
                PlaceBody::Query => Place::Query,
            };
            (Settings::ApiKey { place, name }, Secret::new(key.0))
        }
        AuthenticationBody::Webhook { secret } => (Settings::Webhook, Secret::new(secret.0)),
        AuthenticationBody::ClientCredentials {
            token_url,
            client_id,
            client_secret,
            scope,
            client_auth,
        } => {
            let settings = Settings::ClientCredentials {
                token_url,
                client_id,
                scope,
                client_auth: match client_auth {
                    ClientAuthBody::Basic => ClientAuth::Basic,
                    ClientAuthBody::Body => ClientAuth::Body,
                },
            };
            (settings, Secret::new(client_secret.0))
        }
    }
}

fn shown(status: &CredentialStatus) -> CredentialBody {
    let credential = &status.credential;
    CredentialBody {
        id: credential.id.clone(),
        description: credential.description.clone(),
        overlap_ms: credential.overlap_ms,
        created_at: Timestamp(credential.created_at_ms).into(),
        versions: credential
            .versions(status.now_ms)
            .map(version_shown)
            .collect(),
        used_by: status.used_by.iter().map(Name::to_string).collect(),
        failure: status.failure.clone(),
    }
}

fn version_shown(version: &Version) -> VersionBody {
    let about = match &version.settings {
        Settings::Basic { user } => Some(format!("user {user}")),
        Settings::ApiKey {
            place: Place::Header,
            name,
        } => Some(format!("header {name}")),
        Settings::ApiKey { name, .. } => Some(format!("parameter {name}")),
        Settings::ClientCredentials {
            token_url,
            client_id,
            scope,
            ..
        } => {
            let scope = scope.as_ref().map(|scope| format!(", scope {scope}"));
            let scope = scope.unwrap_or_default();
            Some(format!("client {client_id} at {token_url}{scope}"))
        }
        Settings::Bearer | Settings::Webhook => None,
    };
    let stage = match version.stage {
        Stage::Pending => "pending",
        Stage::Current => "current",
        Stage::Previous => "previous",
    };
    VersionBody {
        number: version.number,
        stage: stage.to_owned(),
        kind: version.settings.kind().to_owned(),
        about,
        fingerprint: version.fingerprint.clone(),
        created_at: Timestamp(version.created_at_ms).into(),
        until: version.until_ms.map(|ms| Timestamp(ms).into()),
        sealed_under: version.key(),
    }
}
