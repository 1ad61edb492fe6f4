//! Temporary credentials: `AssumeRole`, `GetSessionToken`.

use std::time::Duration;

use aws::member::{check_length, check_pattern};
use aws::query::Form;
use aws::xml::Xml;
use aws::{Arn, Fault, Violation};
use http::StatusCode;

use super::call::{Answered, Asked, Call};
use super::fault::{refused, validation_error};
use super::params::{self, Params};
use crate::assume::{SessionTags, packed_size};
use crate::authorize::Beside;
use crate::roles::Role;
use crate::sessions::{NewSession, SessionPolicies, Temporary};
use crate::tags::Tag;
use crate::{Caller, Principal};

/// Sessions obtained with a session of a role last an hour at most.
const CHAINED: u64 = 3600;

/// How long a role's session lasts unless something else is asked for.
const DEFAULT_DURATION: u64 = 3600;

/// What a session may be given besides its name; the same for all ways to take a role.
pub(super) struct Passed {
    pub(super) policy: Option<String>,
    pub(super) policy_arns: Vec<String>,
    pub(super) duration: Option<u64>,
}

impl Passed {
    /// `Policy`, `PolicyArns` and `DurationSeconds`.
    pub(super) fn read(read: &mut Params<'_>) -> Option<Self> {
        // The length is judged with the rest of the policy, in the words for policies.
        let policy = read.optional("Policy", params::document);
        let policy_arns = read.field("PolicyArns").optional_list_of(10, |field| {
            field.required_structure(|policy| policy.form("arn", "arn").required_with(params::arn))
        });
        let duration = read.optional("DurationSeconds", params::seconds::<900, 43_200>);
        Some(Self {
            policy: policy?,
            policy_arns: policy_arns?.unwrap_or_default(),
            duration: duration?,
        })
    }
}

struct AssumeRole {
    role_arn: String,
    session_name: String,
    passed: Passed,
    tags: Vec<Tag>,
    transitive_tags: Vec<String>,
    external_id: Option<String>,
    source_identity: Option<String>,
}

impl AssumeRole {
    fn read(call: Call<'_>) -> Result<Self, Fault> {
        require(call, &["RoleArn", "RoleSessionName"])?;
        let mut read = call.params();
        let role_arn = read.required("RoleArn", params::arn);
        let session_name = read.required("RoleSessionName", session_name);
        let passed = Passed::read(&mut read);
        let tags = read.tags();
        let transitive_tags = read.list("TransitiveTagKeys", 50, params::key);
        let external_id = read.optional("ExternalId", external_id);
        let source_identity = read.optional("SourceIdentity", source_identity);
        let input = read.finish(|| {
            Some(Self {
                role_arn: role_arn?,
                session_name: session_name?,
                passed: passed?,
                tags: tags?,
                transitive_tags: transitive_tags?,
                external_id: external_id?,
                source_identity: source_identity?,
            })
        })?;
        params::check_tags(&input.tags)?;
        Ok(input)
    }
}

/// 2 to 64 of `[\w+=,.@-]`.
pub(super) fn session_name(text: &str) -> Result<String, Violation> {
    check_length(text, 2, 64)?;
    check_pattern(text.bytes().all(params::is_name_byte), r"[\w+=,.@-]*")?;
    Ok(text.to_owned())
}

/// The same, and not in AWS's own namespace.
pub(super) fn source_identity(text: &str) -> Result<String, Violation> {
    if text.to_ascii_lowercase().starts_with("aws:") {
        let rule = "not begin with aws:".to_owned();
        return Err(Violation::Other(rule));
    }
    session_name(text)
}

/// 2 to 1224 of `[\w+=,.@:\/-]`.
fn external_id(text: &str) -> Result<String, Violation> {
    check_length(text, 2, 1224)?;
    let fits = |byte: u8| params::is_name_byte(byte) || b":/".contains(&byte);
    check_pattern(text.bytes().all(fits), r"[\w+=,.@:\/-]*")?;
    Ok(text.to_owned())
}

/// Makes sure that parameters are there, in the words of STS.
pub(super) fn require(call: Call<'_>, names: &[&str]) -> Result<(), Fault> {
    require_in(call.form, names)
}

/// The same for a call without a caller.
pub(super) fn require_in(form: &Form, names: &[&str]) -> Result<(), Fault> {
    let missing = names.iter().find(|name| form.get(name).is_none());
    missing.map_or(Ok(()), |name| {
        Err(Fault::new(
            "MissingParameter",
            StatusCode::BAD_REQUEST,
            format!("The request must contain the parameter {name}"),
        ))
    })
}

/// Absent, in another account or not trusting the caller: all of them are one refusal.
pub(super) async fn assume_role(call: Call<'_>) -> Answered {
    let input = AssumeRole::read(call)?;
    let arn: Arn = input
        .role_arn
        .parse()
        .map_err(|_| validation_error(format!("{} is invalid", input.role_arn)))?;
    let session_tags = SessionTags::of(
        Some(call.caller),
        input.tags.clone(),
        input.transitive_tags.clone(),
    )
    .map_err(|conflict| invalid_parameter(conflict.to_string()))?;
    let inherited = inherited_source_identity(call.caller);
    let role = authorize(call, &arn, &input, inherited).await?;
    let is_chained = matches!(call.caller.principal(), Principal::Session { .. });
    let duration = duration(is_chained, &role, input.passed.duration)?;
    let policies = call
        .iam
        .passed_policies(&role.account, input.passed.policy, input.passed.policy_arns)
        .await?;
    let packed = packed(policies.as_ref(), &session_tags.tags)?;
    let source_identity = input
        .source_identity
        .or_else(|| inherited.map(str::to_owned));
    let new = NewSession {
        role_id: role.id.clone(),
        name: input.session_name.clone(),
        duration: Duration::from_secs(duration),
        tags: session_tags.tags,
        transitive_tags: session_tags.transitive,
        source_identity: source_identity.clone(),
        federated_provider: None,
        policies,
    };
    let temporary = call
        .iam
        .start_session(&role.account, Some(call.caller), new)
        .await?;
    call.answer(|xml| {
        credentials(xml, &temporary);
        assumed_role(xml, &role, &input.session_name);
        xml.optional("PackedPolicySize", packed)
            .optional("SourceIdentity", source_identity);
    })
}

/// The role, if the caller may take it with this name, these tags and this source identity.
async fn authorize(
    call: Call<'_>,
    arn: &Arn,
    input: &AssumeRole,
    inherited: Option<&str>,
) -> Result<Role, Fault> {
    let found = call.iam.role_by_arn(arn).await?;
    let owner = arn.account_id().unwrap_or(*call.account());
    let source_identity = input.source_identity.as_deref().or(inherited);
    let mut asked = Asked::about(arn.as_str(), &owner)
        .with("sts:RoleSessionName", input.session_name.as_str())
        .with_optional("sts:ExternalId", input.external_id.as_deref())
        .with_optional("sts:SourceIdentity", source_identity)
        .with_tags(&input.tags);
    let trust = match &found {
        Some(role) => {
            asked.resource_tags = call.iam.principal_tags(&role.id).await?;
            Some(call.iam.trust_policy(&role.trust_policy)?)
        }
        None => None,
    };
    let transitive = ("sts:TransitiveTagKeys", input.transitive_tags.clone());
    let beside = Beside {
        trust: trust.as_deref(),
        lists: std::slice::from_ref(&transitive),
    };
    let mut actions = vec!["sts:AssumeRole"];
    if !input.tags.is_empty() {
        actions.push("sts:TagSession");
    }
    if source_identity.is_some() {
        actions.push("sts:SetSourceIdentity");
    }
    for action in actions {
        call.authorize_beside(action, &asked, &beside)
            .await
            .map_err(|error| refused(error, &asked.resource, None))?;
    }
    let changes = inherited.is_some() && inherited != source_identity;
    match found {
        Some(role) if !changes => Ok(role),
        // Whoever stands behind a session stays the same along the chain.
        Some(_) => Err(Fault::access_denied(format!(
            "User: {} is not authorized to perform: sts:SetSourceIdentity on resource: {arn}",
            call.caller.arn()
        ))),
        // Without a trust policy nobody was allowed, so nothing comes here.
        None => Err(Fault::internal()),
    }
}

/// Who stands behind the caller's session, as was said when it began.
fn inherited_source_identity(caller: &Caller) -> Option<&str> {
    let session = caller.identity().session.as_deref()?;
    session.source_identity.as_deref()
}

/// How long the session lasts, in seconds. `is_chained`: whether the taker is a session itself.
pub(super) fn duration(is_chained: bool, role: &Role, asked: Option<u64>) -> Result<u64, Fault> {
    let asked = asked.unwrap_or(DEFAULT_DURATION);
    if is_chained && asked > CHAINED {
        return Err(validation_error(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    if asked > role.max_session_seconds {
        return Err(validation_error(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(asked)
}

/// The percentage of the room that policies and tags need. Errors: `PackedPolicyTooLarge`.
pub(super) fn packed(
    policies: Option<&SessionPolicies>,
    tags: &[Tag],
) -> Result<Option<u64>, Fault> {
    match packed_size(policies, tags) {
        Some(percent) if percent > 100 => Err(Fault::new(
            "PackedPolicyTooLarge",
            StatusCode::BAD_REQUEST,
            format!(
                "Packed policy consumes {percent}% of allotted space, please use smaller policy."
            ),
        )),
        percent => Ok(percent),
    }
}

pub(super) fn invalid_parameter(message: String) -> Fault {
    Fault::new("InvalidParameterValue", StatusCode::BAD_REQUEST, message)
}

/// `Credentials`, as all answers of STS have them.
pub(super) fn credentials(xml: &mut Xml, temporary: &Temporary) {
    let credentials = &temporary.credentials;
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", &credentials.access_key_id)
            .text("SecretAccessKey", credentials.secret_access_key.expose())
            .optional(
                "SessionToken",
                credentials.session_token.as_ref().map(aws::Secret::expose),
            )
            .time("Expiration", temporary.expires);
    });
}

/// `AssumedRoleUser`.
pub(super) fn assumed_role(xml: &mut Xml, role: &Role, session_name: &str) {
    let Role {
        id, account, name, ..
    } = role;
    xml.element("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", format!("{id}:{session_name}"))
            .text(
                "Arn",
                format!("arn:aws:sts::{account}:assumed-role/{name}/{session_name}"),
            );
    });
}

/// Needs no permission; only long-term keys have it.
pub(super) async fn get_session_token(call: Call<'_>) -> Answered {
    /// Seconds that root's session lasts, however long was asked for.
    const ROOT: u64 = 3600;
    /// Twelve hours.
    const DEFAULT: u64 = 43_200;

    let mut read = call.params();
    let duration = read.optional("DurationSeconds", params::seconds::<900, 129_600>);
    let code = read.optional("TokenCode", params::text::<6>);
    let (duration, code) = read.finish(|| Some((duration?, code?)))?;
    if call.caller.identity().session.is_some() {
        return Err(Fault::access_denied(
            "Cannot call GetSessionToken with session credentials",
        ));
    }
    if code.is_some() {
        return Err(Fault::access_denied(
            "MultiFactorAuthentication failed, unable to validate MFA code.",
        ));
    }
    let duration = duration.unwrap_or(DEFAULT);
    let duration = if call.caller.is_root() {
        duration.min(ROOT)
    } else {
        duration
    };
    let temporary = call
        .iam
        .start_own_session(call.caller, Duration::from_secs(duration))
        .await?;
    call.answer(|xml| credentials(xml, &temporary))
}
