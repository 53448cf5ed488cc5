//! What says who may do what, and what opens a destination: rows, key files, tokens, and the bodies that change them.

use super::targets::read;
use trunkline_api::access::{CreateToken, PutTenant, RemoveTenant};
use trunkline_api::credential::{PutCredential, RotateKeys, TestCredential};
use trunkline_api::egress::bulk::{EnableDestination, ReplayJob};
use trunkline_api::egress::limiter::PutLimiter;
use trunkline_engine::vault::{ApiToken, Credential, KeyRing, Secret, WebhookKey};
use trunkline_engine::{TenantRecord, TenantStage, TokenRecord};

/// A token's text, that is none that anybody has.
const TOKEN: &str = "tl_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub(super) fn decode(input: &[u8]) {
    // A row that opens, is one that can be written.
    if let Ok(record) = minicbor::decode::<TokenRecord>(input) {
        let again = minicbor::to_vec(&record).expect("memory");
        assert!(minicbor::decode::<TokenRecord>(&again).is_ok_and(|again| again == record));
    }
    let _ = minicbor::decode::<TenantRecord>(input);
    if let Ok(credential) = minicbor::decode::<Credential>(input) {
        let _ = (credential.current(), credential.pending());
    }
    bodies(input);
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Some(token) = ApiToken::parse(text) {
        let _ = (token.id().len(), token.hash());
    }
    if let Ok(ring) = KeyRing::parse(text) {
        assert!(ring.versions().count() > 0);
    }
    let _ = WebhookKey::parse(&Secret::from(text));
}

fn bodies(input: &[u8]) {
    if let Some(body) = read::<PutLimiter>(input) {
        let _ = body.into_limiter("shop");
    }
    let _ = read::<CreateToken>(input);
    let _ = read::<PutTenant>(input);
    let _ = read::<RemoveTenant>(input);
    let _ = read::<PutCredential>(input);
    let _ = read::<TestCredential>(input);
    let _ = read::<RotateKeys>(input);
    let _ = read::<EnableDestination>(input);
    let _ = read::<ReplayJob>(input);
}

pub(super) fn samples() -> Vec<Vec<u8>> {
    let token = TokenRecord {
        id: "0123456789abcdef".to_owned(),
        name: "ci".to_owned(),
        tenant: "acme".to_owned(),
        scopes: 3,
        hash: [7; 32],
        created_at_ms: 1,
        expires_at_ms: Some(2),
        last_used_at_ms: None,
        from_file: false,
    };
    let tenant = TenantRecord {
        name: "acme".to_owned(),
        created_at_ms: 1,
        stage: TenantStage::Ready,
        folder: Some([1; 16]),
        requests_per_second: Some(5),
        open_runs: None,
        open_jobs: Some(10),
        disk_bytes: None,
    };
    let written = [
        minicbor::to_vec(&token),
        minicbor::to_vec(&tenant),
        minicbor::to_vec(Credential::new("shop", 5)),
    ];
    let texts = [
        TOKEN,
        "# keys\n1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n2: BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=\n",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        r#"{"name":"ci","scopes":["runs:read","egress:admin"],"expires_in_ms":1000}"#,
        r#"{"limits":{"requests_per_second":5,"open_runs":10}}"#,
        r#"{"authentication":{"bearer":{"token":"t"}},"overlap_ms":10,"pending":true}"#,
        r#"{"authentication":{"client_credentials":{"token_url":"http://127.0.0.1:9/","client_id":"c","client_secret":"s"}}}"#,
        r#"{"rate":{"per_second":5,"burst":2},"quotas":[{"calls":100,"per_seconds":60}],"concurrency":3}"#,
    ];
    let texts = texts.iter().map(|text| text.as_bytes().to_vec());
    written
        .into_iter()
        .map(|row| row.expect("memory"))
        .chain(texts)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ApiToken, KeyRing, TOKEN, bodies, samples};

    #[test]
    fn the_samples_are_accepted() {
        assert!(ApiToken::parse(TOKEN).is_some());
        let texts: Vec<String> = samples()
            .into_iter()
            .filter_map(|sample| String::from_utf8(sample).ok())
            .collect();
        assert!(texts.iter().any(|text| KeyRing::parse(text).is_ok()));
        texts.iter().for_each(|text| bodies(text.as_bytes()));
    }
}
