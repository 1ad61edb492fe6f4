//! From the catalog's errors to the exceptions of the API: one match, so that a new variant asks to be placed.

use std::error::Error as StdError;

use aws::{Fault, Reason};
use catalog::{Error, Kind};
use http::StatusCode;

use crate::at::Named;

/// What a client reads of an error of the catalog.
///
/// What happened inside goes to the log and nowhere else; the request's span has its id.
pub fn fault(error: Error) -> Fault {
    match error {
        Error::Denied(denial) => Fault::access_denied(denial.message).decided(denial.id),
        Error::Blocked { id, message } => Fault::access_denied(message).decided(id),
        // Tokens do not open this face; one that came through all the same may do nothing.
        Error::WrongDomain => Fault::access_denied(error.to_string()),
        // The one verb of this face that can be held is the one that opens an asset.
        Error::Held(hold) => Fault::not_found(
            Kind::Asset.as_str(),
            hold.what.clone(),
            format!("Asset not found. {hold}"),
        ),
        Error::NotFound { kind, id, message } => Fault::not_found(kind.as_str(), id, message),
        Error::Conflict { kind, id, message } => Fault::conflict(kind.as_str(), id, message),
        Error::Invalid(message) | Error::Mismatch(message) => {
            Fault::validation(Reason::Other, message)
        }
        Error::Quota { kind, id, message } => Fault::quota_exceeded(kind.as_str(), id, message),
        Error::TooLarge { limit_bytes } => Fault::new(
            "ServiceQuotaExceededException",
            StatusCode::PAYMENT_REQUIRED,
            format!("An asset may have at most {limit_bytes} bytes"),
        )
        .with("resourceType", "asset"),
        Error::Interrupted(source) => {
            tracing::info!(
                error = &source as &dyn StdError,
                "the body of a request ended early"
            );
            Fault::validation(Reason::Other, "the body ended before it was whole")
        }
        Error::Remote(source) => {
            tracing::warn!(error = &source as &dyn StdError, "a public registry failed");
            Fault::internal()
        }
        // 503 rather than 500, so that a balancer too sees that another node may do better.
        Error::Unavailable(source) => {
            tracing::warn!(error = &*source as &dyn StdError, "temporarily unavailable");
            Fault {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after: Some(1),
                ..Fault::internal()
            }
        }
        Error::Internal(source) => {
            tracing::error!(error = &*source as &dyn StdError, "the catalog failed");
            Fault::internal()
        }
    }
}

/// The fault, a package or a file in it being called as the request calls it.
pub(crate) fn about(mut fault: Fault, named: Named) -> Fault {
    let kind = fault
        .members
        .iter()
        .find(|(member, _)| *member == "resourceType")
        .map(|(_, kind)| kind.as_str());
    let name = match kind {
        kind if kind == Kind::Package.as_str() => named.package,
        kind if kind == Kind::Asset.as_str() => named.asset,
        _ => None,
    };
    if let Some(name) = name {
        let mut members = fault.members.iter_mut();
        match members.find(|(member, _)| *member == "resourceId") {
            Some((_, id)) => *id = name,
            None => fault = fault.with("resourceId", name),
        }
    }
    fault
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io;
    use std::time::Duration;

    use catalog::screen::Hold;
    use catalog::{RemoteError, Status};
    use iam::Denial;
    use iam::policy::{PolicyType, Reason};

    use super::*;

    fn denied() -> Error {
        Error::Denied(Box::new(Denial {
            id: "0198".to_owned(),
            message: "User: X is not authorized".to_owned(),
            action: "codeartifact:DescribeDomain".to_owned(),
            resource: "*".to_owned(),
            caller: "X".to_owned(),
            reason: Reason::Implicit(PolicyType::Identity),
        }))
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn every_error_of_the_catalog_has_its_exception() {
        let text = || "secret".to_owned();
        let hold = Hold {
            what: "tools:hammer:1.0/a.bin".to_owned(),
            why: catalog::screen::Why::Status(Status::Archived),
        };
        for (error, status, code, members, message) in [
            (
                denied(),
                403,
                "AccessDeniedException",
                vec![],
                "User: X is not authorized",
            ),
            (
                Error::Blocked {
                    id: "0198".to_owned(),
                    message: "origin controls".to_owned(),
                },
                403,
                "AccessDeniedException",
                vec![],
                "origin controls",
            ),
            (
                Error::WrongDomain,
                403,
                "AccessDeniedException",
                vec![],
                "the token was issued for another domain",
            ),
            (
                Error::Held(hold),
                404,
                "ResourceNotFoundException",
                vec![
                    ("resourceId", "tools:hammer:1.0/a.bin"),
                    ("resourceType", "asset"),
                ],
                "Asset not found. tools:hammer:1.0/a.bin is Archived",
            ),
            (
                Error::NotFound {
                    kind: Kind::PackageVersion,
                    id: "1.0".to_owned(),
                    message: "gone".to_owned(),
                },
                404,
                "ResourceNotFoundException",
                vec![("resourceId", "1.0"), ("resourceType", "package-version")],
                "gone",
            ),
            (
                Error::Conflict {
                    kind: Kind::Domain,
                    id: "d".to_owned(),
                    message: "taken".to_owned(),
                },
                409,
                "ConflictException",
                vec![("resourceId", "d"), ("resourceType", "domain")],
                "taken",
            ),
            (
                Error::Invalid("not so".to_owned()),
                400,
                "ValidationException",
                vec![("reason", "OTHER")],
                "not so",
            ),
            (
                Error::Mismatch("other bytes".to_owned()),
                400,
                "ValidationException",
                vec![("reason", "OTHER")],
                "other bytes",
            ),
            (
                Error::Quota {
                    kind: Kind::Repository,
                    id: "r".to_owned(),
                    message: "full".to_owned(),
                },
                402,
                "ServiceQuotaExceededException",
                vec![("resourceId", "r"), ("resourceType", "repository")],
                "full",
            ),
            (
                Error::TooLarge { limit_bytes: 4 },
                402,
                "ServiceQuotaExceededException",
                vec![("resourceType", "asset")],
                "An asset may have at most 4 bytes",
            ),
            (
                Error::Interrupted(io::Error::other(text())),
                400,
                "ValidationException",
                vec![("reason", "OTHER")],
                "the body ended before it was whole",
            ),
            (
                Error::Remote(RemoteError::Unreachable {
                    connection: "public:maven-central".parse().unwrap(),
                    message: text(),
                    retry_after: Duration::ZERO,
                }),
                500,
                "InternalServerException",
                vec![],
                INTERNAL,
            ),
            (
                Error::Unavailable(text().into()),
                503,
                "InternalServerException",
                vec![],
                INTERNAL,
            ),
            (
                Error::Internal(text().into()),
                500,
                "InternalServerException",
                vec![],
                INTERNAL,
            ),
        ] {
            let explained = matches!(error, Error::Denied(_) | Error::Blocked { .. });
            let found = fault(error);
            assert_eq!(found.code, code, "{found}");
            assert_eq!(found.status.as_u16(), status, "{found}");
            let named = found.members.iter();
            let named: Vec<_> = named.map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(named, members, "{found}");
            assert_eq!(found.message, message);
            assert_eq!(found.decision.is_some(), explained, "{found}");
            assert_eq!(found.retry_after.is_some(), status == 503, "{found}");
        }
    }

    #[test]
    fn packages_and_files_are_called_as_they_were_asked_for() {
        let named = Named {
            package: Some("@tools/Hammer".to_owned()),
            asset: Some("a.bin".to_owned()),
        };
        let missing = |kind| Error::NotFound {
            kind,
            id: "ours".to_owned(),
            message: "gone".to_owned(),
        };
        for (error, expected) in [
            (missing(Kind::Package), Some("@tools/Hammer")),
            (missing(Kind::Asset), Some("a.bin")),
            (missing(Kind::PackageVersion), Some("ours")),
            (missing(Kind::PackageGroup), Some("ours")),
            (Error::TooLarge { limit_bytes: 4 }, Some("a.bin")),
            (Error::Invalid("no".to_owned()), None),
        ] {
            let fault = about(fault(error), named.clone());
            let ids: Vec<_> = fault
                .members
                .iter()
                .filter(|(member, _)| *member == "resourceId")
                .map(|(_, id)| id.as_str())
                .collect();
            assert_eq!(ids, Vec::from_iter(expected), "{fault}");
        }
    }

    const INTERNAL: &str = "The request could not be completed because of an internal error.";
}
