//! Domains: create, describe, list, delete.

use aws::page::{Filters, MaxResults};
use aws::{AccountId, Fault, Reason, Region};
use catalog::{Action, Domain, DomainFigures, DomainName};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::members::{self, AnyArn, name};
use crate::paging::Asked;
use crate::{Answer, Failure, Request, at};

/// `DomainDescription`, and without its counts `DomainSummary`.
#[derive(Serialize)]
struct Description {
    name: DomainName,
    owner: AccountId,
    arn: String,
    status: &'static str,
    #[serde(rename = "createdTime")]
    created_time: f64,
    #[serde(rename = "encryptionKey")]
    encryption_key: String,
    #[serde(flatten)]
    counts: Option<Counts>,
}

#[derive(Serialize)]
struct Counts {
    #[serde(rename = "repositoryCount")]
    repository_count: u64,
    #[serde(rename = "assetSizeBytes")]
    asset_size_bytes: u64,
    #[serde(rename = "s3BucketArn")]
    s3_bucket_arn: String,
}

const ACTIVE: &str = "Active";
const DELETED: &str = "Deleted";

impl Description {
    fn summary(domain: &Domain) -> Self {
        Self {
            name: domain.name.clone(),
            owner: domain.owner,
            arn: domain.arn.clone(),
            status: ACTIVE,
            created_time: domain.created.epoch_seconds(),
            encryption_key: domain.encryption_key.clone(),
            counts: None,
        }
    }

    fn full(domain: &Domain, figures: DomainFigures, region: &Region) -> Self {
        let counts = Counts {
            repository_count: figures.repository_count,
            asset_size_bytes: figures.asset_size_bytes,
            // There is no such bucket; clients want a name that is always the same.
            s3_bucket_arn: format!("arn:aws:s3:::assets-{}-{region}", domain.owner),
        };
        Self {
            counts: Some(counts),
            ..Self::summary(domain)
        }
    }
}

/// `{"domain": …}`, and `{}` for a domain that was not there to be deleted.
#[derive(Serialize)]
struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Description>,
}

pub(crate) async fn create(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let region = cx.iam.region();
    let (name, key, tags) = request.read(|read| {
        let name = read
            .query("domain", "domain")
            .required_with(name::<DomainName>);
        let key = read
            .body("encryptionKey", "encryptionKey")
            .optional::<AnyArn>();
        let tags = members::tags(read);
        Some((name?, key?, tags?))
    })?;
    let key = key.as_ref().map_or(DEFAULT_KEY, |AnyArn(key)| key);
    let key = key_arn(key, region, cx.caller.account())?;
    let domain = cx
        .catalog
        .create_domain(&cx.caller, &name, key, tags)
        .await?;
    let nothing = DomainFigures {
        repository_count: 0,
        asset_size_bytes: 0,
    };
    Answer::json(&Output {
        domain: Some(Description::full(&domain, nothing, region)),
    })
}

pub(crate) async fn describe(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::domain(read, &cx.caller))?;
    let domain = cx
        .catalog
        .domain(&cx.caller, Action::DescribeDomain, &at)
        .await?;
    let figures = domain.figures().await?;
    let domain = Description::full(&domain, figures, cx.iam.region());
    Answer::json(&Output {
        domain: Some(domain),
    })
}

pub(crate) async fn delete(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::domain(read, &cx.caller))?;
    let deleted = cx.catalog.delete_domain(&cx.caller, &at).await?;
    let domain = deleted.map(|(domain, figures)| Description {
        status: DELETED,
        ..Description::full(&domain, figures, cx.iam.region())
    });
    Answer::json(&Output { domain })
}

#[derive(Serialize)]
struct List {
    domains: Vec<Description>,
    #[serde(rename = "nextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(crate) async fn list(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let asked = request.read(Asked::in_body)?;
    let filters = Filters::of([Some(cx.caller.account().as_str())]);
    let window = asked.window(&request, MaxResults::HUNDRED, filters)?;
    let page = cx
        .catalog
        .list_domains(&cx.caller, window.after(), window.limit)
        .await?;
    Answer::json(&List {
        domains: page.items.iter().map(Description::summary).collect(),
        next_token: window.next_token(&request, page.next.as_deref()),
    })
}

/// What AWS calls the key that an account has for domains without one of their own.
const DEFAULT_KEY: &str = "alias/aws/codeartifact";

/// The ARN of the key that a creator names: by id, ARN, alias or the alias's ARN.
///
/// There is no key service here. Ids become ARNs in the account; an alias becomes the ARN of a key whose id is made from
/// the alias, so that it is the same each time; key ARNs come back as they are. Errors: `ValidationException`,
/// `ENCRYPTION_KEY_ERROR`, for what is none of these.
fn key_arn(key: &str, region: &Region, account: &AccountId) -> Result<String, Fault> {
    let unusable = || {
        Fault::validation(
            Reason::EncryptionKeyError,
            format!("encryption key `{key}` is not the id, ARN or alias of a key"),
        )
    };
    let in_account = |resource: &str| format!("arn:aws:kms:{region}:{account}:{resource}");
    if !key.starts_with("arn:") {
        let arn = if key.starts_with("alias/") {
            in_account(key)
        } else {
            in_account(&format!("key/{key}"))
        };
        return key_arn_of(&arn).ok_or_else(unusable);
    }
    key_arn_of(key).ok_or_else(unusable)
}

/// The key ARN that an ARN of a key or an alias stands for.
fn key_arn_of(arn: &str) -> Option<String> {
    let parsed: aws::Arn = arn.parse().ok()?;
    parsed.account_id()?;
    if parsed.service() != "kms" || parsed.region().is_empty() {
        return None;
    }
    let (kind, id) = parsed.resource().split_once('/')?;
    let is_plain = |extra: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
        !id.is_empty() && id.chars().all(plain)
    };
    match kind {
        "key" if is_plain("-") => Some(arn.to_owned()),
        "alias" if is_plain("-_/") => {
            let place = arn.strip_suffix(parsed.resource())?;
            Some(format!("{place}key/{}", uuid_of(arn)))
        }
        _ => None,
    }
}

/// A UUID (version 8, RFC 9562) that is always the same for the text.
fn uuid_of(text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<String, Fault> {
        key_arn(
            text,
            &"eu-central-1".parse().unwrap(),
            &"111122223333".parse().unwrap(),
        )
    }

    #[test]
    fn a_key_may_be_named_in_four_ways() {
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let in_account = "arn:aws:kms:eu-central-1:111122223333:key/";
        assert_eq!(key(id).unwrap(), format!("{in_account}{id}"));
        let elsewhere = format!("arn:aws:kms:us-east-1:444455556666:key/{id}");
        assert_eq!(key(&elsewhere).unwrap(), elsewhere);
        let alias = key("alias/team/main").unwrap();
        assert!(alias.starts_with(in_account), "{alias}");
        assert_eq!(alias.len(), in_account.len() + 36);
        let by_arn = key("arn:aws:kms:eu-central-1:111122223333:alias/team/main").unwrap();
        assert_eq!(by_arn, alias);
        assert_ne!(key(DEFAULT_KEY).unwrap(), alias);
        assert_eq!(key(DEFAULT_KEY).unwrap(), key(DEFAULT_KEY).unwrap());
    }

    #[test]
    fn what_is_no_key_is_an_encryption_key_error() {
        for text in [
            "key/1234",
            "a:b",
            "alias/",
            "arn:aws:s3:::bucket",
            "arn:aws:kms:eu-central-1:111122223333:grant/1",
            "arn:aws:kms::111122223333:key/1",
            "arn:aws:kms:eu-central-1:aws:key/1",
            "arn:nonsense",
        ] {
            let fault = key(text).unwrap_err();
            assert_eq!(
                fault.members,
                [("reason", "ENCRYPTION_KEY_ERROR".to_owned())],
                "{text}"
            );
        }
    }
}
