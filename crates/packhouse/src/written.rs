//! What of a request and its answer may be written down: member by member, operation by operation.
//!
//! Names are those of `CloudTrail`: `domainName`, not `domain`; `userName`, not `UserName`.

mod tables;

use audit::Service;
use aws::query::Form;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value, json};

use tables::{FORMS, REST};

/// What stands where a secret is answered.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Elements of answers of IAM, STS and EC2 that may be written down, each by itself.
const ELEMENTS: &[&str] = &[
    "AccessKeyId",
    "Arn",
    "AssociationId",
    "AssumedRoleId",
    "Audience",
    "CreateDate",
    "DefaultVersionId",
    "Expiration",
    "GroupId",
    "GroupName",
    "InstanceProfileId",
    "InstanceProfileName",
    "OpenIDConnectProviderArn",
    "Path",
    "PolicyId",
    "PolicyName",
    "Provider",
    "RoleId",
    "RoleName",
    "Status",
    "SubjectFromWebIdentityToken",
    "UserId",
    "UserName",
    "VersionId",
    "associationId",
    "state",
];

/// The one operation that comes with a token; of that its claims are written.
const WITH_WEB_IDENTITY: &str = "AssumeRoleWithWebIdentity";

/// Whether an operation of this name only reads, as `CloudTrail` counts.
pub(crate) fn is_read_only(service: Service, operation: &str) -> bool {
    let reads = [
        "Get", "List", "Describe", "Simulate", "Lookup", "Search", "Preview",
    ];
    let hands_out = [
        "GetAuthorizationToken",
        "GetSessionToken",
        "GetFederationToken",
    ];
    service != Service::Packages
        && reads.iter().any(|start| operation.starts_with(start))
        && !hands_out.contains(&operation)
}

/// What is written of a call of CodeArtifact. `body`: as it came, for operations whose body is a document.
pub(crate) fn rest(operation: &str, query: &[(String, String)], body: &[u8]) -> Map<String, Value> {
    let Some(row) = REST.iter().find(|row| row.operation == operation) else {
        return Map::new();
    };
    let mut written = Map::new();
    for (name, value) in query {
        if row.query.contains(&name.as_str()) {
            written.insert(spelled(name), json!(value));
        }
    }
    if !row.body.is_empty()
        && let Ok(Value::Object(document)) = serde_json::from_slice(body)
    {
        let members = document
            .into_iter()
            .filter(|(name, _)| row.body.contains(&name.as_str()));
        written.extend(members.map(|(name, value)| (spelled(&name), value)));
    }
    written
}

/// What is written of an answer of CodeArtifact.
pub(crate) fn rest_answer(operation: &str, body: &[u8]) -> Option<Value> {
    if operation == "GetAuthorizationToken" {
        return Some(json!({"sessionToken": HIDDEN}));
    }
    let row = REST.iter().find(|row| row.operation == operation)?;
    if row.answer.is_empty() {
        return None;
    }
    let Ok(Value::Object(document)) = serde_json::from_slice(body) else {
        return None;
    };
    let members = document
        .into_iter()
        .filter(|(name, _)| row.answer.contains(&name.as_str()));
    let members: Map<_, _> = members.collect();
    (!members.is_empty()).then_some(Value::Object(members))
}

/// `CloudTrail`'s spelling of a member that is on the wire like this.
fn spelled(wire: &str) -> String {
    let known = match wire {
        "domain" => "domainName",
        "repository" => "repositoryName",
        "format" => "packageFormat",
        "namespace" => "packageNamespace",
        "package" => "packageName",
        "version" => "packageVersion",
        "revision" => "packageVersionRevision",
        "asset" => "assetName",
        "duration" => "durationSeconds",
        other => return camel(other),
    };
    known.to_owned()
}

/// `domain-owner` as `domainOwner`.
fn camel(text: &str) -> String {
    let mut parts = text.split('-');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        camel.extend(part.chars().take(1).map(|c| c.to_ascii_uppercase()));
        camel.extend(part.chars().skip(1));
    }
    camel
}

/// What is written of a call of IAM, STS or EC2.
pub(crate) fn form(operation: &str, form: &Form) -> Map<String, Value> {
    let Some((_, allowed)) = FORMS.iter().find(|(name, _)| *name == operation) else {
        return Map::new();
    };
    let mut written = Map::new();
    for (name, value) in form.parameters() {
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or_default();
        if allowed.contains(&first) {
            let place = written.entry(lower_first(first)).or_insert(Value::Null);
            put(place, parts, value);
        }
    }
    written.values_mut().for_each(close);
    if operation == WITH_WEB_IDENTITY
        && let Some(token) = form.get("WebIdentityToken")
    {
        written.insert("webIdentity".to_owned(), claims(token).into());
    }
    written
}

/// Puts a value where `member.1.Key` leads to; lists are kept by number until they are closed.
fn put<'a>(place: &mut Value, parts: impl Iterator<Item = &'a str>, value: &str) {
    let mut place = place;
    for part in parts.filter(|part| *part != "member") {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[lower_first(part)];
    }
    *place = json!(value);
}

/// Turns what is kept by number into lists.
fn close(value: &mut Value) {
    let Value::Object(members) = value else {
        return;
    };
    members.values_mut().for_each(close);
    let mut numbered: Vec<(u32, Value)> = Vec::new();
    for (name, member) in members.iter() {
        match name.parse() {
            Ok(number) => numbered.push((number, member.clone())),
            Err(_) => return,
        }
    }
    numbered.sort_by_key(|(number, _)| *number);
    *value = numbered.into_iter().map(|(_, member)| member).collect();
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

/// What is written of an answer of IAM, STS or EC2 to an operation that changes something: ids and names, no secret.
pub(crate) fn form_answer(body: &[u8]) -> Option<Value> {
    let mut reader = Reader::from_reader(body);
    let mut written = Map::new();
    let mut element = String::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                element = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
            }
            Ok(Event::Text(text)) => {
                if ELEMENTS.contains(&element.as_str())
                    && let Ok(text) = text.decode()
                {
                    // Of several, such as a role inside a profile, the first is what the answer is about.
                    written
                        .entry(lower_first(&element))
                        .or_insert_with(|| json!(text));
                }
            }
            Ok(Event::End(_)) => element.clear(),
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    (!written.is_empty()).then_some(Value::Object(written))
}

/// Whom a web identity token is about, unproven: who issued it, for whom, to whom, and its id. Never the token.
fn claims(token: &str) -> Map<String, Value> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    // What is longer is refused, and stands in no log either.
    let token = Some(token).filter(|token| token.len() <= 20_000);
    let claims = token.and_then(|token| {
        let payload = token.split('.').nth(1)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    });
    let mut claims = claims.unwrap_or_default();
    claims.retain(|name, value| {
        let plain = value.is_string() || value.is_array();
        ["iss", "sub", "aud", "jti"].contains(&name.as_str()) && plain
    });
    claims
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_operation_says_what_of_it_is_written_down() {
        for operation in codeartifact::OPERATIONS {
            let row = REST.iter().find(|row| row.operation == operation.name);
            assert!(row.is_some(), "{} is in no list", operation.name);
        }
        for operation in iam::api::OPERATIONS {
            let row = FORMS.iter().find(|(name, _)| *name == operation.name);
            assert!(row.is_some(), "{} is in no list", operation.name);
        }
    }

    #[test]
    fn nothing_secret_is_in_the_lists() {
        let secret = ["Token", "Secret", "Password", "Signature", "Assertion"];
        let forms = FORMS.iter().flat_map(|(_, names)| names.iter());
        let rest = REST
            .iter()
            .flat_map(|row| row.query.iter().chain(row.body).chain(row.answer));
        for name in forms.chain(rest).chain(ELEMENTS) {
            let found = secret.iter().any(|word| name.contains(word));
            assert!(!found || *name == "SubjectFromWebIdentityToken", "{name}");
        }
    }

    #[test]
    fn members_of_query_and_body_are_written_under_cloudtrails_names() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let query = [
            pair("domain", "team"),
            pair("domain-owner", "111122223333"),
            pair("repository", "app"),
            pair("X-Amz-Signature", "s3cret"),
        ];
        let body =
            br#"{"description":"ours","upstreams":[{"repositoryName":"up"}],"other":"s3cret"}"#;
        let expected = json!({
            "domainName": "team", "domainOwner": "111122223333", "repositoryName": "app", "description": "ours",
            "upstreams": [{"repositoryName": "up"}]
        });
        assert_eq!(
            Value::Object(rest("CreateRepository", &query, body)),
            expected
        );
        assert!(rest("Nothing", &query, body).is_empty());
    }

    #[test]
    fn forms_are_written_as_documents() {
        let parsed = Form::parse(
            b"Action=CreateUser&Version=2010-05-08&UserName=ci&Tags.member.2.Key=b&Tags.member.1.Key=a\
              &Tags.member.1.Value=x&Password=s3cret",
        );
        assert_eq!(
            Value::Object(form("CreateUser", &parsed.unwrap())),
            json!({"userName": "ci", "tags": [{"key": "a", "value": "x"}, {"key": "b"}]})
        );
        let parsed = Form::parse(
            b"Action=AssumeRoleWithWebIdentity&RoleArn=arn:r&RoleSessionName=s&WebIdentityToken=s3cret",
        );
        assert_eq!(
            Value::Object(form("AssumeRoleWithWebIdentity", &parsed.unwrap())),
            json!({"roleArn": "arn:r", "roleSessionName": "s", "webIdentity": {}})
        );
    }

    #[test]
    fn answers_are_written_without_their_secrets() {
        let xml = b"<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><UserName>ci</UserName>\
            <AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Active</Status>\
            <SecretAccessKey>s3cret</SecretAccessKey></AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>";
        assert_eq!(
            form_answer(xml).unwrap(),
            json!({"userName": "ci", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "status": "Active"})
        );
        assert_eq!(
            rest_answer(
                "GetAuthorizationToken",
                br#"{"authorizationToken":"s3cret"}"#
            )
            .unwrap(),
            json!({"sessionToken": HIDDEN})
        );
        assert_eq!(
            rest_answer("CreateDomain", br#"{"domain":{"name":"team"},"other":1}"#).unwrap(),
            json!({"domain": {"name": "team"}})
        );
        assert_eq!(rest_answer("DescribeDomain", br#"{"domain":{}}"#), None);
    }

    #[test]
    fn of_a_web_identity_token_only_its_claims_about_people_are_written() {
        // {"iss":"https://i","sub":"repo:a","aud":"sts","jti":"1","email":"a@b","exp":1}
        let token = "e30.eyJpc3MiOiJodHRwczovL2kiLCJzdWIiOiJyZXBvOmEiLCJhdWQiOiJzdHMiLCJqdGkiOiIxIiwiZW1haWwiOiJhQGIiLCJleHAiOjF9.c2ln";
        assert_eq!(
            Value::Object(claims(token)),
            json!({"iss": "https://i", "sub": "repo:a", "aud": "sts", "jti": "1"})
        );
        assert!(claims("nonsense").is_empty());
    }

    #[test]
    fn what_only_reads_is_told_apart() {
        use Service::{CodeArtifact, Iam, Sts};
        for (service, operation, reads) in [
            (CodeArtifact, "DescribeDomain", true),
            (CodeArtifact, "GetAuthorizationToken", false),
            (CodeArtifact, "CreateDomain", false),
            (Iam, "SimulateCustomPolicy", true),
            (Iam, "PutUserPolicy", false),
            (Sts, "GetCallerIdentity", true),
            (Sts, "GetSessionToken", false),
            (Sts, "AssumeRole", false),
        ] {
            assert_eq!(is_read_only(service, operation), reads, "{operation}");
        }
    }
}
