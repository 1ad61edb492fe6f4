//! Every case of `identity-sigv4-vectors.json`: requests as they arrive, what the server knows,
//! and what it must decide.

use std::collections::HashMap;
use std::time::Duration;

use aws::sigv4::{
    Claim, Credentials, NotSigned, PayloadHash, Rules, Signer, SigningKey, body_hash,
};
use aws::{AccessKeyId, Dialect, QueryService, Region, SecretString, Timestamp};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use serde::Deserialize;

const VECTORS: &str = include_str!("../vectors/identity-sigv4-vectors.json");

#[derive(Deserialize)]
pub(crate) struct Vectors {
    credentials: Vec<Credential>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Credential {
    access_key_id: AccessKeyId,
    secret_access_key: String,
    session_token: Option<String>,
    status: String,
    expires_at: Option<String>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    name: String,
    group: String,
    pub(crate) request: WireRequest,
    server: Server,
    pub(crate) expect: Expect,
}

#[derive(Clone, Deserialize)]
pub(crate) struct WireRequest {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    body_hex: String,
}

#[derive(Clone, Deserialize)]
struct Server {
    service: String,
    protocol: String,
    now: String,
    max_skew_seconds: u64,
    regions: Vec<Region>,
    allow_unsigned_payload: bool,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Expect {
    pub(crate) result: String,
    reason: Option<String>,
    code: Option<String>,
    http_status: Option<u16>,
    message_contains: Option<String>,
    canonical_request: Option<String>,
    string_to_sign: Option<String>,
    signing_key_hex: Option<String>,
    access_key_id: Option<AccessKeyId>,
}

pub(crate) fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

impl WireRequest {
    pub(crate) fn body(&self) -> Vec<u8> {
        hex::decode(&self.body_hex).unwrap()
    }

    pub(crate) fn set_body(&mut self, body: &[u8]) {
        self.body_hex = hex::encode(body);
    }

    /// `None` for what an HTTP server refuses before anyone looks at the signature.
    pub(crate) fn parts(&self) -> Option<Parts> {
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(self.target.as_str());
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
        Some(request.body(()).ok()?.into_parts().0)
    }
}

impl Server {
    fn rules(&self) -> Rules {
        let service = ["codeartifact", "iam", "sts", "ec2"]
            .into_iter()
            .find(|service| *service == self.service)
            .unwrap();
        let regions = (service == "codeartifact").then(|| self.regions.clone());
        Rules {
            max_skew: Duration::from_secs(self.max_skew_seconds),
            allow_unsigned_payload: self.allow_unsigned_payload,
            ..Rules::new(service, regions)
        }
    }

    fn dialect(&self) -> Dialect {
        match (self.protocol.as_str(), self.service.as_str()) {
            ("rest-json", _) => Dialect::RestJson,
            (_, "iam") => Dialect::Query(QueryService::Iam),
            (_, "sts") => Dialect::Query(QueryService::Sts),
            _ => Dialect::Ec2,
        }
    }
}

impl Vectors {
    /// The whole order of checks, with the steps that belong to the key store emulated here.
    pub(crate) fn decide(&self, case: &Case, parts: &Parts) -> Result<Claim, NotSigned> {
        let now = Timestamp::parse_iso8601(&case.server.now).unwrap();
        let claim = Claim::read(parts, &case.server.rules(), now)?;
        let credential = self
            .credentials
            .iter()
            .find(|known| known.access_key_id == *claim.access_key_id())
            .filter(|known| known.status == "Active")
            .ok_or(NotSigned::InvalidClientTokenId)?;
        let expected = credential.session_token.clone().map(SecretString::from);
        if claim.session_token() != expected.as_ref() {
            return Err(NotSigned::InvalidClientTokenId);
        }
        let key = self.key(&claim);
        claim.verify(&key, &body_hash(&case.request.body()))?;
        let expires = credential.expires_at.as_deref();
        match expires.and_then(Timestamp::parse_iso8601) {
            Some(end) if end <= now => Err(NotSigned::ExpiredToken),
            _ => Ok(claim),
        }
    }

    pub(crate) fn key(&self, claim: &Claim) -> SigningKey {
        let secrets: HashMap<_, _> = self
            .credentials
            .iter()
            .map(|known| (&known.access_key_id, known.secret_access_key.as_str()))
            .collect();
        let secret = SecretString::from(secrets[claim.access_key_id()]);
        let scope = claim.scope();
        SigningKey::derive(&secret, scope.date(), scope.region(), scope.service())
    }
}

#[test]
fn every_vector_is_decided_as_specified() {
    let vectors = vectors();
    let mut wrong = Vec::new();
    for case in &vectors.cases {
        let parts = case.request.parts().unwrap();
        let found = vectors.decide(case, &parts);
        if let Some(difference) = difference(&vectors, case, found) {
            let Case {
                id, group, name, ..
            } = case;
            wrong.push(format!("{id} [{group}] {name}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(vectors.cases.len(), 153);
}

fn difference(vectors: &Vectors, case: &Case, found: Result<Claim, NotSigned>) -> Option<String> {
    let expect = &case.expect;
    match found {
        Ok(claim) => {
            let hash = body_hash(&case.request.body());
            let payload = match claim.payload() {
                PayloadHash::Unsigned => "UNSIGNED-PAYLOAD",
                _ => &hash,
            };
            let request = claim.canonical_requests(payload).next();
            let to_sign = request
                .as_deref()
                .map(|request| claim.string_to_sign(request));
            let key = hex::encode(vectors.key(&claim).expose());
            let same = expect.result == "ok"
                && request == expect.canonical_request
                && to_sign == expect.string_to_sign
                && Some(&key) == expect.signing_key_hex.as_ref()
                && Some(claim.access_key_id()) == expect.access_key_id.as_ref();
            (!same).then(|| format!("accepted {request:?}"))
        }
        Err(why) => {
            let fault = why.fault(case.server.dialect());
            let text = expect.message_contains.as_deref().unwrap_or("");
            let same = expect.reason.as_deref() == Some(why.reason())
                && expect.code.as_deref() == Some(&fault.code)
                && expect.http_status == Some(fault.status.as_u16())
                && fault.message.contains(text);
            (!same).then(|| format!("refused with {why:?}, {fault:?}"))
        }
    }
}

#[test]
fn our_signer_writes_the_same_header_as_the_sdk() {
    let vectors = vectors();
    let mut compared = 0;
    for case in vectors.cases.iter().filter(|c| c.expect.result == "ok") {
        let mut parts = case.request.parts().unwrap();
        let Some(expected) = parts.headers.get("authorization").cloned() else {
            continue;
        };
        let claim = vectors.decide(case, &parts).unwrap();
        let known = vectors.credentials.iter();
        let mut known = known.filter(|known| known.access_key_id == *claim.access_key_id());
        let known = known.next().unwrap();
        let credentials = Credentials {
            access_key_id: known.access_key_id.clone(),
            secret_access_key: SecretString::from(known.secret_access_key.as_str()),
            session_token: known.session_token.clone().map(SecretString::from),
        };
        let signer = Signer {
            credentials: &credentials,
            region: claim.scope().region(),
            service: claim.scope().service(),
        };
        let payload = match claim.payload() {
            PayloadHash::Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
            _ => body_hash(&case.request.body()),
        };
        signer.sign(&mut parts, &payload, claim.date()).unwrap();
        let found = parts.headers["authorization"].to_str().unwrap();
        let expected = expected.to_str().unwrap();
        // Some cases leave headers unsigned or write the fields in another order.
        let names = |text: &str| text.split(", ").nth(1).map(str::to_owned);
        if names(found) == names(expected) {
            assert_eq!(found, expected, "{}", case.id);
            compared += 1;
        }
    }
    assert!(compared >= 50, "{compared}");
}

#[test]
fn the_handler_reads_the_very_values_that_were_signed() {
    let vectors = vectors();
    for (id, expected) in [("sig-031", "a+b"), ("sig-017", "a b+c")] {
        let case = vectors.cases.iter().find(|case| case.id == id).unwrap();
        let claim = vectors
            .decide(case, &case.request.parts().unwrap())
            .unwrap();
        let values: Vec<&str> = claim.query().iter().map(|(_, v)| v.as_str()).collect();
        assert!(values.contains(&expected), "{id}: {values:?}");
    }
}
