//! Which domain, repository and package of which an operation of our own is about.
//!
//! Two things are asked: whether the caller may call the operation (`packhouse:NAME` on the repository's ARN), and, of the
//! catalog, whether it may do what the operation comes down to there.

use aws::page::Filters;
use aws::{AccountId, Fault, Reason};
use catalog::{
    Action, DomainAt, FormatName, PackageAt, PackageId, Permit, Repository, RepositoryAt, Version,
};

use super::audit::invalid;
use super::{Call, limit};

/// Where a list goes on, and how it is asked for: sealed into the token of the next page.
pub(super) struct Paging {
    filters: Filters,
    pub(super) after: Option<String>,
    pub(super) limit: u32,
}

impl Paging {
    /// The token that goes on after this place.
    pub(super) fn token(&self, call: &Call<'_>, next: Option<&str>) -> Option<String> {
        let sealer = &call.house.sealer;
        next.map(|next| sealer.seal(call.operation.name, &self.filters, next))
    }
}

impl Call<'_> {
    pub(super) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.query(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| {
                Fault::validation(
                    Reason::FieldValidationFailed,
                    format!("`{name}` is missing"),
                )
            })
    }

    /// `domain`, and `domainOwner` unless it is the caller's own.
    pub(super) fn domain_at(&self) -> Result<DomainAt, Fault> {
        let owner = match self.query("domainOwner") {
            Some(owner) => owner
                .parse::<AccountId>()
                .map_err(|_| invalid("domainOwner", "is an account: 12 digits"))?,
            None => *self.caller.account(),
        };
        let name = self.required("domain")?;
        let name = name
            .parse()
            .map_err(|_| invalid("domain", "is not the name of a domain"))?;
        Ok(DomainAt { owner, name })
    }

    pub(super) fn repository_at(&self) -> Result<RepositoryAt, Fault> {
        let domain = self.domain_at()?;
        let name = self.required("repository")?;
        let rule = "is not the name of a repository";
        let name = name.parse().map_err(|_| invalid("repository", rule))?;
        Ok(RepositoryAt { domain, name })
    }

    /// `format`, one that this server has.
    pub(super) fn format(&self) -> Result<Option<FormatName>, Fault> {
        let Some(text) = self.query("format") else {
            return Ok(None);
        };
        let format = text
            .parse()
            .map_err(|_| invalid("format", "is not the name of a format"));
        format.map(Some)
    }

    /// `format`, `namespace` and `package`.
    pub(super) fn package_id(&self) -> Result<PackageId, Fault> {
        let format = self.required("format")?;
        let format = self
            .house
            .catalog
            .formats()
            .named(format)
            .ok_or_else(|| invalid("format", "is not one of this server"))?;
        let id = format.package(self.query("namespace"), self.required("package")?, false);
        id.map_err(|error| invalid("package", &error.to_string()))
    }

    pub(super) fn version(&self) -> Result<Version, Fault> {
        let version = self.required("version")?.parse();
        version.map_err(|_| invalid("version", "is not a version"))
    }

    /// The repository, if the caller may do `action` to it and call this operation for it.
    pub(super) async fn repository(&self, action: Action) -> Result<Permit<Repository>, Fault> {
        let at = self.repository_at()?;
        let permit = self
            .house
            .catalog
            .repository(self.caller, action, &at)
            .await;
        let permit = permit.map_err(codeartifact::fault)?;
        self.may_to(&permit.arn, &permit.domain.owner).await?;
        Ok(permit)
    }

    /// The place of a package, likewise.
    pub(super) async fn package(&self, action: Action) -> Result<Permit<PackageAt>, Fault> {
        let (at, id) = (self.repository_at()?, self.package_id()?);
        let permit = self
            .house
            .catalog
            .package(self.caller, action, &at, &id)
            .await;
        let permit = permit.map_err(codeartifact::fault)?;
        let repository = &permit.repository;
        self.may_to(&repository.arn, &repository.domain.owner)
            .await?;
        Ok(permit)
    }

    /// How a list is paged whose entries these parameters choose.
    pub(super) fn paging(&self, filters: &[&str]) -> Result<Paging, Fault> {
        let account = Some(self.caller.account().as_str());
        let values = filters.iter().map(|name| self.query(name));
        let filters = Filters::of([account, Some(self.id)].into_iter().chain(values));
        let sealer = &self.house.sealer;
        let open = |token| sealer.open(self.operation.name, &filters, token);
        let after = self.query("nextToken").map(open).transpose()?;
        Ok(Paging {
            after,
            limit: limit(self)?,
            filters,
        })
    }
}
