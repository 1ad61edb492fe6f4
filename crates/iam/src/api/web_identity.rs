//! `AssumeRoleWithWebIdentity`: a role for whoever shows a token of an issuer that the account trusts (`identity.md` 3.4).
//!
//! The one operation without a signature: the token stands in its place.

use std::time::Duration;

use aws::member::check_length;
use aws::{AccountId, Arn, Fault, Timestamp, Violation};
use http::StatusCode;

use super::call::Answered;
use super::fault::validation_error;
use super::params;
use super::sts::{self, Passed};
use super::{Unsigned, Vouched};
use crate::Error;
use crate::assume::SessionTags;
use crate::policy::json::Json;
use crate::policy::{Context, Principal};
use crate::quotas;
use crate::roles::Role;
use crate::sessions::NewSession;
use crate::tags::Tag;
use crate::trust::{self, Entrance, NotAdmitted};
use crate::web_identity::{Claims, NotVerified, WebIdentity, texts};

/// Where a token says which tags the session shall have.
const TAGS: &str = "https://aws.amazon.com/tags";
/// Where it says who stands behind the session.
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

struct AssumeRoleWithWebIdentity {
    role: Arn,
    account: AccountId,
    session_name: String,
    token: String,
    passed: Passed,
}

impl AssumeRoleWithWebIdentity {
    fn read(call: Unsigned<'_>) -> Result<Self, Fault> {
        sts::require_in(
            call.form,
            &["RoleArn", "RoleSessionName", "WebIdentityToken"],
        )?;
        let mut read = params::Params::of(call.form);
        let role_arn = read.required("RoleArn", params::arn);
        let session_name = read.required("RoleSessionName", sts::session_name);
        let token = read.required("WebIdentityToken", token);
        let provider_id = read.optional("ProviderId", params::text::<2048>);
        let passed = Passed::read(&mut read);
        let (role_arn, session_name, token, provider_id, passed) =
            read.finish(|| Some((role_arn?, session_name?, token?, provider_id?, passed?)))?;
        if provider_id.is_some() {
            return Err(validation_error(
                "ProviderId is for OAuth 2.0 access tokens, which are not accepted here; leave it out for OpenID Connect",
            ));
        }
        let invalid = || validation_error(format!("{role_arn} is invalid"));
        let role: Arn = role_arn.parse().map_err(|_| invalid())?;
        let account = role.account_id().ok_or_else(invalid)?;
        Ok(Self {
            role,
            account,
            session_name,
            token,
            passed,
        })
    }
}

/// 4 to 20,000 characters.
fn token(text: &str) -> Result<String, Violation> {
    check_length(text, 4, 20_000)?;
    Ok(text.to_owned())
}

/// What a token asks for besides the role itself.
struct Wanted {
    session_tags: SessionTags,
    source_identity: Option<String>,
}

impl Wanted {
    fn read(claims: &Claims) -> Result<Self, Fault> {
        let (tags, transitive) = match claims.get(TAGS) {
            None => (Vec::new(), Vec::new()),
            Some(claim) => tags(claim)
                .ok_or_else(|| invalid_token(format!("The claim {TAGS} is not valid")))?,
        };
        params::check_tags(&tags)?;
        let session_tags = SessionTags::of(None, tags, transitive)
            .map_err(|conflict| sts::invalid_parameter(conflict.to_string()))?;
        let read = |_| {
            let read = claims.text(SOURCE_IDENTITY).map(sts::source_identity);
            read.and_then(Result::ok)
                .ok_or_else(|| invalid_token(format!("The claim {SOURCE_IDENTITY} is not valid")))
        };
        let source_identity = claims.get(SOURCE_IDENTITY).map(read).transpose()?;
        Ok(Self {
            session_tags,
            source_identity,
        })
    }

    /// Everything that the trust policy must allow.
    fn actions(&self) -> impl Iterator<Item = &'static str> {
        let tags = (!self.session_tags.tags.is_empty()).then_some("sts:TagSession");
        let source = self
            .source_identity
            .as_ref()
            .map(|_| "sts:SetSourceIdentity");
        std::iter::once("sts:AssumeRoleWithWebIdentity")
            .chain(tags)
            .chain(source)
    }
}

/// `{"principal_tags": {"team": ["build"]}, "transitive_tag_keys": ["team"]}`; a value may stand without its list.
fn tags(claim: &Json) -> Option<(Vec<Tag>, Vec<String>)> {
    let Json::Object(members) = claim else {
        return None;
    };
    let member = |wanted: &str| {
        let found = members.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value)
    };
    let tags = match member("principal_tags") {
        None => Vec::new(),
        Some(Json::Object(tags)) => tags
            .iter()
            .map(|(key, value)| match texts(value)?.as_slice() {
                [value] => Some((params::key(key).ok()?, params::value(value).ok()?)),
                _ => None,
            })
            .collect::<Option<_>>()?,
        Some(_) => return None,
    };
    let transitive = match member("transitive_tag_keys") {
        None => Vec::new(),
        Some(keys) => texts(keys)?.into_iter().map(str::to_owned).collect(),
    };
    (tags.len() <= quotas::TAGS).then_some((tags, transitive))
}

pub(super) async fn assume_role(call: Unsigned<'_>) -> Answered {
    let input = AssumeRoleWithWebIdentity::read(call)?;
    let identity = call
        .iam
        .verify_web_identity(&input.account, &input.token)
        .await?;
    (call.vouched)(Vouched {
        provider: identity.provider.arn.clone(),
        subject: identity.subject.clone(),
    });
    let wanted = Wanted::read(&identity.claims)?;
    let role = admitted(call, &input, &identity, &wanted).await?;
    let duration = sts::duration(false, &role, input.passed.duration)?;
    let policies = call
        .iam
        .passed_policies(&role.account, input.passed.policy, input.passed.policy_arns)
        .await?;
    let Wanted {
        session_tags,
        source_identity,
    } = wanted;
    let packed = sts::packed(policies.as_ref(), &session_tags.tags)?;
    let new = NewSession {
        role_id: role.id.clone(),
        name: input.session_name.clone(),
        duration: Duration::from_secs(duration),
        tags: session_tags.tags,
        transitive_tags: session_tags.transitive,
        source_identity: source_identity.clone(),
        federated_provider: Some(identity.provider.arn.clone()),
        policies,
    };
    let temporary = call.iam.start_session(&role.account, None, new).await?;
    call.answer(|xml| {
        sts::credentials(xml, &temporary);
        xml.text("SubjectFromWebIdentityToken", &identity.subject);
        sts::assumed_role(xml, &role, &input.session_name);
        xml.optional("PackedPolicySize", packed)
            .text("Provider", &identity.provider.arn)
            .text("Audience", &identity.audience)
            .optional("SourceIdentity", source_identity);
    })
}

/// The role, if it lets the bearer of the token in with all that the token asks for. One that is not there lets nobody in,
/// in the same words.
async fn admitted(
    call: Unsigned<'_>,
    input: &AssumeRoleWithWebIdentity,
    identity: &WebIdentity,
    wanted: &Wanted,
) -> Result<Role, Fault> {
    let now = call.iam.clock().now();
    let role = call.iam.role_by_arn(&input.role).await?;
    let role = role.filter(|role| role.account == input.account);
    let context = match &role {
        Some(role) => context(call, input, identity, wanted, role, now).await?,
        None => Context::new(),
    };
    let principal = Principal::WebIdentity {
        provider: &identity.provider.arn,
    };
    for action in wanted.actions() {
        let admitted = match &role {
            Some(role) => call.iam.admits(
                role,
                &Entrance {
                    principal,
                    action,
                    context: &context,
                    now,
                },
            )?,
            None => trust::absent(&input.role, input.account, action, now),
        };
        admitted
            .map_err(|NotAdmitted { id, message }| Fault::access_denied(message).decided(id))?;
    }
    // Without a role the first action was refused.
    role.ok_or_else(Fault::internal)
}

/// What the trust policy may look at: the claims under the name of the issuer, and what the session is to have.
async fn context(
    call: Unsigned<'_>,
    input: &AssumeRoleWithWebIdentity,
    identity: &WebIdentity,
    wanted: &Wanted,
    role: &Role,
    now: Timestamp,
) -> Result<Context, Error> {
    let tags = call.iam.principal_tags(&role.id).await?;
    let mut context = call.iam.trust_context(role, &tags, now, call.source);
    context.set("aws:FederatedProvider", identity.provider.arn.as_str());
    context.set("aws:PrincipalIsAWSService", "false");
    context.set("sts:RoleSessionName", input.session_name.as_str());
    if let Some(source_identity) = &wanted.source_identity {
        context.set("sts:SourceIdentity", source_identity.as_str());
    }
    let SessionTags { tags, transitive } = &wanted.session_tags;
    if !tags.is_empty() {
        context.set_list("aws:TagKeys", tags.iter().map(|(key, _)| key.as_str()));
        for (key, value) in tags {
            context.set(&format!("aws:RequestTag/{key}"), value.as_str());
        }
    }
    context.set_list(
        "sts:TransitiveTagKeys",
        transitive.iter().map(String::as_str),
    );
    for (name, value) in identity.claims.iter() {
        let key = format!("{}:{name}", identity.provider.url);
        // An issuer at `https://aws` must not say where a request comes from.
        if context.has(&key) {
            continue;
        }
        match texts(value).as_deref() {
            // An audience that stands in a list by itself is still one.
            Some([one]) if name == "aud" || matches!(value, Json::Text(_)) => {
                context.set(&key, *one);
            }
            Some(values) => context.set_list(&key, values.iter().copied()),
            None => {}
        }
    }
    Ok(context)
}

impl From<NotVerified> for Fault {
    fn from(error: NotVerified) -> Self {
        let code = match error {
            NotVerified::NotJwt
            | NotVerified::NoProvider(_)
            | NotVerified::NoKey
            | NotVerified::Signature
            | NotVerified::NotYet { .. }
            | NotVerified::Missing(_)
            | NotVerified::Audience => "InvalidIdentityToken",
            NotVerified::Expired { .. } => "ExpiredTokenException",
            NotVerified::Unreachable => "IDPCommunicationError",
            NotVerified::Unavailable(error) => return error.into(),
        };
        Self::new(code, StatusCode::BAD_REQUEST, error.to_string())
    }
}

fn invalid_token(message: String) -> Fault {
    Fault::new("InvalidIdentityToken", StatusCode::BAD_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_one_value_each_and_the_form_of_tags() {
        for (claim, expected) in [
            (
                r#"{"principal_tags":{"team":["build"],"cost":"7"},"transitive_tag_keys":["team"]}"#,
                Some((2, 1)),
            ),
            (r#"{"principal_tags":{"team":"build"}}"#, Some((1, 0))),
            ("{}", Some((0, 0))),
            (r#"{"principal_tags":{"team":["a","b"]}}"#, None),
            (r#"{"principal_tags":{"team":[]}}"#, None),
            (r#"{"principal_tags":{"te*m":["a"]}}"#, None),
            (r#"{"principal_tags":{"team":[1]}}"#, None),
            (r#"{"principal_tags":["team"]}"#, None),
            (r#"{"transitive_tag_keys":{"team":1}}"#, None),
            (r#""team""#, None),
        ] {
            let read = crate::policy::json::read(claim).ok();
            let found = read.as_ref().and_then(tags);
            let counts = found.map(|(tags, transitive)| (tags.len(), transitive.len()));
            assert_eq!(counts, expected, "{claim}");
        }
    }
}
