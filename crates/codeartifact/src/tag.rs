//! Tags of domains and repositories, which are named by ARN here.

use aws::reader::Reader;
use aws::{Arn, Fault, Reason, Region};
use catalog::{DomainAt, RepositoryAt, TaggedAt};
use http::StatusCode;
use serde::Serialize;

use crate::members::{self, AnyArn};
use crate::{Answer, Failure, Request};

#[derive(Serialize)]
struct Tag {
    key: String,
    value: String,
}

/// A list of objects, whatever the guide shows.
#[derive(Serialize)]
struct List {
    tags: Vec<Tag>,
}

/// `{}`.
#[derive(Serialize)]
struct Nothing {}

fn arn(read: &mut Reader<'_>) -> Option<AnyArn> {
    read.query("resourceArn", "resourceArn").required()
}

/// The thing that an ARN names. Errors: `ValidationException` for what is no ARN of this service and region.
fn tagged(arn: &AnyArn, region: &Region) -> Result<TaggedAt, Fault> {
    let wrong = || {
        let message = format!(
            "`{}` is not the ARN of a domain or repository in {region}",
            arn.0
        );
        Fault::validation(Reason::Other, message)
    };
    let arn: Arn = arn.0.parse().map_err(|_| wrong())?;
    let is_here = arn.partition() == "aws"
        && arn.service() == "codeartifact"
        && arn.region() == region.as_str();
    let owner = arn.account_id().filter(|_| is_here).ok_or_else(wrong)?;
    let (kind, rest) = arn.resource().split_once('/').ok_or_else(wrong)?;
    let domain = |name: &str| {
        let name = name.parse().map_err(|_| wrong())?;
        Ok(DomainAt { owner, name })
    };
    match kind {
        "domain" => domain(rest).map(TaggedAt::Domain),
        "repository" => {
            let (name, repository) = rest.split_once('/').ok_or_else(wrong)?;
            let name_of_it = repository.parse().map_err(|_| wrong())?;
            Ok(TaggedAt::Repository(RepositoryAt {
                domain: domain(name)?,
                name: name_of_it,
            }))
        }
        "package-group" => Err(Fault::new(
            "NotImplementedException",
            StatusCode::NOT_IMPLEMENTED,
            "Tags of package groups are not implemented yet by this version of Packhouse",
        )),
        _ => Err(wrong()),
    }
}

pub(crate) async fn list(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let arn = request.read(arn)?;
    let at = tagged(&arn, cx.iam.region())?;
    let tags = cx.catalog.tags(&cx.caller, &at).await?;
    let tag = |(key, value)| Tag { key, value };
    Answer::json(&List {
        tags: tags.into_iter().map(tag).collect(),
    })
}

pub(crate) async fn tag(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (arn, tags) = request.read(|read| {
        let arn = arn(read);
        let tags = members::required_tags(read);
        Some((arn?, tags?))
    })?;
    let at = tagged(&arn, cx.iam.region())?;
    cx.catalog.tag(&cx.caller, &at, tags).await?;
    Answer::json(&Nothing {})
}

pub(crate) async fn untag(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (arn, keys) = request.read(|read| {
        let arn = arn(read);
        let keys = members::tag_keys(read);
        Some((arn?, keys?))
    })?;
    let at = tagged(&arn, cx.iam.region())?;
    cx.catalog.untag(&cx.caller, &at, keys).await?;
    Answer::json(&Nothing {})
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_a_domain_or_a_repository() {
        let region: Region = "eu-central-1".parse().unwrap();
        let tagged = |text: &str| tagged(&AnyArn(text.to_owned()), &region);
        let domain = DomainAt {
            owner: "111122223333".parse().unwrap(),
            name: "my-domain".parse().unwrap(),
        };
        let found = tagged("arn:aws:codeartifact:eu-central-1:111122223333:domain/my-domain");
        assert_eq!(found.unwrap(), TaggedAt::Domain(domain.clone()));
        let found =
            tagged("arn:aws:codeartifact:eu-central-1:111122223333:repository/my-domain/a.b");
        let expected = RepositoryAt {
            domain,
            name: "a.b".parse().unwrap(),
        };
        assert_eq!(found.unwrap(), TaggedAt::Repository(expected));
        for (text, code) in [
            ("nonsense", "ValidationException"),
            (
                "arn:aws:codeartifact:us-east-1:111122223333:domain/my-domain",
                "ValidationException",
            ),
            (
                "arn:aws:s3:eu-central-1:111122223333:domain/my-domain",
                "ValidationException",
            ),
            (
                "arn:aws-cn:codeartifact:eu-central-1:111122223333:domain/my-domain",
                "ValidationException",
            ),
            (
                "arn:aws:codeartifact:eu-central-1::domain/my-domain",
                "ValidationException",
            ),
            (
                "arn:aws:codeartifact:eu-central-1:111122223333:domain",
                "ValidationException",
            ),
            (
                "arn:aws:codeartifact:eu-central-1:111122223333:domain/My",
                "ValidationException",
            ),
            (
                "arn:aws:codeartifact:eu-central-1:111122223333:repository/my-domain",
                "ValidationException",
            ),
            (
                "arn:aws:codeartifact:eu-central-1:111122223333:repository/my-domain/a/b",
                "ValidationException",
            ),
            (
                "arn:aws:codeartifact:eu-central-1:111122223333:package/my-domain/a",
                "ValidationException",
            ),
            (
                "arn:aws:codeartifact:eu-central-1:111122223333:package-group/my-domain/%2a",
                "NotImplementedException",
            ),
        ] {
            assert_eq!(tagged(text).unwrap_err().code, code, "{text}");
        }
    }
}
