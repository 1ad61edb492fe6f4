//! May this text be stored? Each API that takes a policy has its own rules and words.
//!
//! The texts are those AWS answers, because scripts and Terraform match on them. Unknown services
//! and action names are accepted: policies are shared with other services.

use std::collections::HashSet;

use super::compiled::{Policy, PolicySource};
use super::document::{Clause, Document, Version};
use super::malformed::{Malformed, MalformedCode};
use super::principal_rules;

/// What a document is to be stored as.
#[derive(Clone, Copy)]
pub enum PolicyKind<'a> {
    /// A managed policy, or a version of one.
    Managed,
    /// A policy of a user, group or role.
    Inline {
        /// Whose.
        owner: InlineOwner,
        /// The owner's name, for the message.
        name: &'a str,
        /// [`size`] of the owner's other inline policies together.
        others: usize,
    },
    /// The trust policy of a role.
    Trust {
        /// The role's account.
        account: &'a str,
        /// The account's quota for the size of trust policies, 2048 unless raised.
        quota: usize,
        /// Whether a principal of this account exists: the ARN or unique id of a user or role, or
        /// the ARN of an OIDC provider. Asked for the names that
        /// [`principals_in`](super::principals_in) lists.
        exists: &'a dyn Fn(&str) -> bool,
    },
    /// The `Policy` parameter of `AssumeRole` and its relatives.
    Session,
    /// The policy of a `CodeArtifact` domain or repository.
    Resource {
        /// The account of the domain.
        account: &'a str,
        /// As for a trust policy.
        exists: &'a dyn Fn(&str) -> bool,
    },
}

/// Who may have inline policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InlineOwner {
    /// 2048 characters.
    User,
    /// 5120 characters.
    Group,
    /// 10 240 characters.
    Role,
}

impl InlineOwner {
    fn limit(self) -> (&'static str, usize) {
        match self {
            Self::User => ("user", 2048),
            Self::Group => ("group", 5120),
            Self::Role => ("role", 10_240),
        }
    }
}

/// Characters of a managed policy, white space not counted.
const MANAGED_QUOTA: usize = 6144;

/// Characters of a session policy, as sent.
const SESSION_LIMIT: usize = 2048;

/// Characters of a `CodeArtifact` resource policy, as sent.
const RESOURCE_LIMIT: usize = 7168;

/// The size of a policy as quotas count it: in characters, without white space.
pub fn size(text: &str) -> usize {
    text.chars().filter(|char| !char.is_whitespace()).count()
}

/// Checks a text an API is asked to store, and compiles it.
///
/// Errors: the code and text that API answers.
pub fn validate(
    kind: PolicyKind<'_>,
    text: &str,
    source: PolicySource,
) -> Result<Policy, Malformed> {
    match kind {
        PolicyKind::Managed => {
            let document = Document::read(text)?;
            if document.version != Version::Current {
                return Err(Malformed::document(
                    "Policy document must be version 2012-10-17 or greater.",
                ));
            }
            identity(document, text, source, |size| {
                let message = format!("Cannot exceed quota for PolicySize: {MANAGED_QUOTA}");
                (size > MANAGED_QUOTA).then_some(message)
            })
        }
        PolicyKind::Inline {
            owner,
            name,
            others,
        } => identity(Document::read(text)?, text, source, |size| {
            let (kind, limit) = owner.limit();
            (size + others > limit)
                .then(|| format!("Maximum policy size of {limit} bytes exceeded for {kind} {name}"))
        }),
        PolicyKind::Session => {
            within(
                "policy",
                text,
                SESSION_LIMIT,
                MalformedCode::ValidationError,
            )?;
            identity(Document::read(text)?, text, source, |_| None)
        }
        PolicyKind::Trust {
            account,
            quota,
            exists,
        } => trust(text, source, account, quota, exists),
        PolicyKind::Resource { account, exists } => {
            within(
                "policyDocument",
                text,
                RESOURCE_LIMIT,
                MalformedCode::ValidationException,
            )?;
            resource(text, source, account, exists).map_err(Malformed::for_resource_policy)
        }
    }
}

/// A limit on the parameter as it was sent.
fn within(parameter: &str, text: &str, limit: usize, code: MalformedCode) -> Result<(), Malformed> {
    if text.chars().count() <= limit {
        return Ok(());
    }
    let message = format!(
        "1 validation error detected: Value at '{parameter}' failed to satisfy constraint: Member must have length \
         less than or equal to {limit}"
    );
    Err(Malformed::new(code, message))
}

fn identity(
    document: Document,
    text: &str,
    source: PolicySource,
    too_large: impl Fn(usize) -> Option<String>,
) -> Result<Policy, Malformed> {
    for clause in clauses(&document)? {
        if clause.principal.is_some() {
            return Err(Malformed::document(
                "Policy document should not specify a principal.",
            ));
        }
        check_sid(clause)?;
        check_actions(clause)?;
        check_resources(clause, document.version)?;
        check_condition_keys(clause)?;
    }
    check_sids_unique(&document)?;
    let policy = Policy::compile(document, text, source)?;
    match too_large(size(text)) {
        Some(message) => Err(Malformed::new(MalformedCode::LimitExceeded, message)),
        None => Ok(policy),
    }
}

fn trust(
    text: &str,
    source: PolicySource,
    account: &str,
    quota: usize,
    exists: &dyn Fn(&str) -> bool,
) -> Result<Policy, Malformed> {
    let document = Document::read_or(text, "This policy contains invalid Json")?;
    for clause in clauses(&document)? {
        if let Some(resource) = &clause.resource {
            return Err(prohibited(if resource.negated {
                "NotResource"
            } else {
                "Resource"
            }));
        }
        let Some(principal) = &clause.principal else {
            return Err(Malformed::document(
                "Missing required field Principal cannot be empty!",
            ));
        };
        if principal.negated {
            return Err(prohibited("NotPrincipal"));
        }
        check_sid(clause)?;
        check_trust_actions(clause)?;
        check_condition_keys(clause)?;
        principal_rules::check_trust(&principal.values, account, exists)?;
        principal_rules::check_shared_issuers(clause, &principal.values)?;
    }
    check_sids_unique(&document)?;
    let policy = Policy::compile(document, text, source)?;
    if size(text) > quota {
        let message = format!("Cannot exceed quota for ACLSizePerRole: {quota}");
        return Err(Malformed::new(MalformedCode::LimitExceeded, message));
    }
    Ok(policy)
}

fn prohibited(element: &str) -> Malformed {
    Malformed::document(format!("Has prohibited field {element}"))
}

fn resource(
    text: &str,
    source: PolicySource,
    account: &str,
    exists: &dyn Fn(&str) -> bool,
) -> Result<Policy, Malformed> {
    let document = Document::read(text)?;
    for clause in clauses(&document)? {
        let Some(principal) = &clause.principal else {
            return Err(Malformed::document(
                "Policy statement must contain principals.",
            ));
        };
        check_actions(clause)?;
        check_resources(clause, document.version)?;
        check_condition_keys(clause)?;
        principal_rules::check_resource(&principal.values, account, exists)?;
    }
    check_sids_unique(&document)?;
    Policy::compile(document, text, source)
}

/// The statements; a policy to be stored has at least one.
fn clauses(document: &Document) -> Result<&[Clause], Malformed> {
    if document.statements.is_empty() {
        return Err(Malformed::syntax());
    }
    Ok(&document.statements)
}

fn check_sid(clause: &Clause) -> Result<(), Malformed> {
    if clause
        .sid
        .as_deref()
        .unwrap_or_default()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric())
    {
        return Ok(());
    }
    Err(Malformed::document(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
    ))
}

fn check_sids_unique(document: &Document) -> Result<(), Malformed> {
    let mut seen = HashSet::new();
    let mut sids = document
        .statements
        .iter()
        .filter_map(|clause| clause.sid.as_deref());
    if sids.all(|sid| sid.is_empty() || seen.insert(sid)) {
        return Ok(());
    }
    Err(Malformed::document(
        "Statement IDs (SID) in a single policy must be unique.",
    ))
}

fn check_actions(clause: &Clause) -> Result<(), Malformed> {
    let actions = clause
        .action
        .as_ref()
        .map(|listed| listed.values.as_slice())
        .unwrap_or_default();
    if actions.is_empty() {
        return Err(Malformed::document(
            "Policy statement must contain actions.",
        ));
    }
    actions.iter().try_for_each(|action| check_action(action))
}

fn check_action(action: &str) -> Result<(), Malformed> {
    if action == "*" || action == "*:*" {
        return Ok(());
    }
    let (vendor, name) = action.split_once(':').ok_or_else(no_vendor)?;
    if name.contains(':') {
        return Err(Malformed::document(
            "Actions/Condition can contain only one colon.",
        ));
    }
    if vendor.is_empty() {
        return Err(no_vendor());
    }
    if !vendor
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Err(Malformed::document(format!("Vendor {vendor} is not valid")));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'*' | b'?' | b'-' | b'_');
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(Malformed::legacy());
    }
    Ok(())
}

fn no_vendor() -> Malformed {
    Malformed::document(
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    )
}

/// Actions a trust policy may speak about.
const TRUST_ACTIONS: &[&str] = &[
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
];

fn check_trust_actions(clause: &Clause) -> Result<(), Malformed> {
    let Some(listed) = &clause.action else {
        return Err(Malformed::document(
            "Missing required field Action cannot be empty!",
        ));
    };
    if listed.negated {
        return Err(prohibited("NotAction"));
    }
    if listed.values.is_empty() {
        return Err(Malformed::document(
            "Missing required field Action cannot be empty!",
        ));
    }
    let nothing = super::Context::new();
    for action in &listed.values {
        check_action(action)?;
        let pattern = super::pattern::Pattern::action(action);
        let known = TRUST_ACTIONS
            .iter()
            .any(|known| pattern.matches(known, &nothing));
        if !known || !action.to_ascii_lowercase().starts_with("sts:") {
            return Err(Malformed::document(
                "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML, \
                 sts:AssumeRoleWithWebIdentity, sts:TagSession, sts:SetSourceIdentity, and sts:SetContext",
            ));
        }
    }
    Ok(())
}

fn check_condition_keys(clause: &Clause) -> Result<(), Malformed> {
    let prefaced = |key: &str| {
        key.split_once(':')
            .is_some_and(|(vendor, name)| !vendor.is_empty() && !name.is_empty())
    };
    if clause
        .conditions
        .iter()
        .all(|condition| prefaced(&condition.key))
    {
        Ok(())
    } else {
        Err(no_vendor())
    }
}

fn check_resources(clause: &Clause, version: Version) -> Result<(), Malformed> {
    let resources = clause
        .resource
        .as_ref()
        .map(|listed| listed.values.as_slice())
        .unwrap_or_default();
    if resources.is_empty() {
        return Err(Malformed::document(
            "Policy statement must contain resources.",
        ));
    }
    resources
        .iter()
        .try_for_each(|resource| check_resource(resource, version))
}

const PARTITIONS: &[&str] = &[
    "aws",
    "aws-cn",
    "aws-us-gov",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "*",
];

const IAM_PATHS: &[&str] = &[
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

fn check_resource(resource: &str, version: Version) -> Result<(), Malformed> {
    if resource == "*" {
        return Ok(());
    }
    let mut parts = resource.splitn(6, ':');
    if parts.next() != Some("arn") || !resource.contains(':') {
        return Err(Malformed::document(format!(
            "Resource {resource} must be in ARN format or \"*\"."
        )));
    }
    // Variables are known in the last part only; refusing is kinder than never matching.
    let misplaced = |at: usize| resource[..at].matches(':').count() < 5;
    if version == Version::Current && resource.find("${").is_some_and(misplaced) {
        return Err(Malformed::legacy());
    }
    let partition = parts.next().unwrap_or_default();
    if !PARTITIONS.contains(&partition) {
        let message =
            format!("Partition \"{partition}\" is not valid for resource \"{resource}\".");
        return Err(Malformed::document(message));
    }
    let vendor = parts.next().unwrap_or_default();
    if vendor.is_empty() || vendor.contains(['*', '?']) {
        return Err(Malformed::document(
            "Resource vendor must be fully qualified and cannot contain regexes.",
        ));
    }
    if vendor != "iam" {
        return Ok(());
    }
    if parts
        .next()
        .is_some_and(|region| !region.is_empty() && region != "*")
    {
        return Err(Malformed::document(format!(
            "IAM resource {resource} cannot contain region information."
        )));
    }
    let known = |path: &str| {
        path == "*" || path == "root" || IAM_PATHS.iter().any(|known| path.starts_with(known))
    };
    if parts.nth(1).is_some_and(|path| !known(path)) {
        let paths = IAM_PATHS.join(", ");
        return Err(Malformed::document(format!(
            "IAM resource path must either be \"*\" or start with {paths}."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_resources_are_refused_for_the_reason_given() {
        let resource = |text: &str| {
            check_resource(text, Version::Current)
                .err()
                .map(|fault| fault.to_string())
        };
        let action = |text: &str| check_action(text).err().map(|fault| fault.to_string());
        for (found, expected) in [
            (action("*:*"), None),
            (action("s3:Get?bject*"), None),
            (action(""), Some("prefaced by a vendor")),
            (action(":Get"), Some("prefaced by a vendor")),
            (action("s3:"), Some("legacy parsing")),
            (action("s3:Get Object"), Some("legacy parsing")),
            (action("s*:Get"), Some("Vendor s* is not valid")),
            (resource("arn"), Some("ARN format")),
            (resource("arn:*:s3:::b"), None),
            (resource("arn:aws:s*:::b"), Some("cannot contain regexes")),
            (resource("arn:aws:iam::*"), None),
            (resource("arn:aws:iam::1:root"), None),
            (resource("arn:aws:iam::1:role/${aws:username}"), None),
            (
                resource("arn:aws:iam::1:a/b"),
                Some("start with user/, federated-user/, role/"),
            ),
            (resource("arn:aws:s3:${aws:x}"), Some("legacy parsing")),
        ] {
            let same = match expected {
                None => found.is_none(),
                Some(expected) => found.as_ref().is_some_and(|found| found.contains(expected)),
            };
            assert!(same, "{found:?} {expected:?}");
        }
    }
}
