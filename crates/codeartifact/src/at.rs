//! Which domain, repository, package or version is meant: read once for all inputs.

use aws::reader::Reader;
use aws::rest_json::Input;
use aws::{AccountId, Fault, Reason, Violation};
use catalog::{
    DomainAt, FormatName, Formats, InvalidName, Namespace, PackageId, PackageName, RepositoryAt,
    Version,
};
use iam::Caller;

use crate::members::{self, name};
use crate::names;

/// `domain` and `domain-owner` of the query. Without an owner it is the caller's account.
pub(crate) fn domain(read: &mut Reader<'_>, caller: &Caller) -> Option<DomainAt> {
    let name = read.query("domain", "domain").required_with(name);
    let owner = read
        .query("domain-owner", "domainOwner")
        .optional::<AccountId>();
    let owner = owner?.unwrap_or(*caller.account());
    Some(DomainAt { owner, name: name? })
}

/// The domain and `repository` of the query.
pub(crate) fn repository(read: &mut Reader<'_>, caller: &Caller) -> Option<RepositoryAt> {
    let domain = domain(read, caller);
    let name = read.query("repository", "repository").required_with(name);
    Some(RepositoryAt {
        domain: domain?,
        name: name?,
    })
}

/// A package in the caller's words.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) format: FormatName,
    namespace: Option<Namespace>,
    name: PackageName,
}

/// `format`, `namespace` and `package` of the query.
pub(crate) fn names(read: &mut Reader<'_>) -> Option<Names> {
    let format = read
        .query("format", "format")
        .required_with(members::format);
    let namespace = read.query("namespace", "namespace").optional_with(name);
    let package = read.query("package", "package").required_with(name);
    Some(Names {
        format: format?,
        namespace: namespace?,
        name: package?,
    })
}

/// What a request names, in the caller's own words, so that an error names what was asked for and not its normal form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// As people write it: `@scope/name`, `group:artifact`, `name`.
    pub(crate) package: Option<String>,
    /// The name of a file.
    pub(crate) asset: Option<String>,
}

impl Named {
    pub(crate) fn of(input: &Input) -> Self {
        Self {
            package: coordinate(input),
            asset: input.query("asset").map(str::to_owned),
        }
    }
}

fn coordinate(input: &Input) -> Option<String> {
    let name = input.query("package")?;
    let namespace = input
        .query("namespace")
        .filter(|namespace| !namespace.is_empty());
    Some(match (namespace, input.query("format")) {
        (None, _) => name.to_owned(),
        (Some(namespace), Some("npm")) => format!("@{namespace}/{name}"),
        (Some(namespace), _) => format!("{namespace}:{name}"),
    })
}

/// A package of a repository.
#[derive(Debug)]
pub(crate) struct PackageInput {
    pub(crate) repository: RepositoryAt,
    pub(crate) names: Names,
}

/// The repository and the package of the query.
pub(crate) fn package(read: &mut Reader<'_>, caller: &Caller) -> Option<PackageInput> {
    let repository = repository(read, caller);
    let names = names(read);
    Some(PackageInput {
        repository: repository?,
        names: names?,
    })
}

/// A version of a package, in the caller's words.
#[derive(Debug)]
pub(crate) struct VersionInput {
    pub(crate) package: PackageInput,
    version: Version,
}

/// The package and `version` of the query.
pub(crate) fn version(read: &mut Reader<'_>, caller: &Caller) -> Option<VersionInput> {
    let package = package(read, caller);
    let version = read.query("version", "packageVersion").required_with(name);
    Some(VersionInput {
        package: package?,
        version: version?,
    })
}

/// Whether the package is named to be read, or to be written: then the format's rules for publishing hold too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    Existing,
    New,
}

impl Names {
    /// The package in its format's normal form. Errors: `ValidationException` for what the format has no name for.
    pub(crate) fn id(&self, formats: &Formats, naming: Naming) -> Result<PackageId, Fault> {
        let Self {
            format,
            namespace,
            name,
        } = self;
        let normal = |text| names::normal(format, text);
        let namespace = namespace.as_ref().map(|text| normal(text.as_str()));
        let package = || match formats.named(format.as_str()) {
            Some(rules) => {
                let is_new = naming == Naming::New;
                rules.package(namespace.as_deref(), &normal(name.as_str()), is_new)
            }
            None => names::unserved(
                format,
                namespace.map(|text| text.parse()).transpose()?,
                normal(name.as_str()).parse()?,
            ),
        };
        package().map_err(|invalid| refused("package", name.as_str(), invalid))
    }

    /// A version in the format's normal form. Errors: as [`Names::id`].
    pub(crate) fn version(&self, version: &Version, formats: &Formats) -> Result<Version, Fault> {
        let Some(rules) = formats.named(self.format.as_str()) else {
            return Ok(version.clone());
        };
        let text = version.as_str();
        rules
            .version(text)
            .map_err(|invalid| refused("packageVersion", text, invalid))
    }
}

impl PackageInput {
    /// [`Names::id`].
    pub(crate) fn id(&self, formats: &Formats, naming: Naming) -> Result<PackageId, Fault> {
        self.names.id(formats, naming)
    }
}

impl VersionInput {
    /// [`Names::version`].
    pub(crate) fn version(&self, formats: &Formats) -> Result<Version, Fault> {
        self.package.names.version(&self.version, formats)
    }
}

/// A format's own objection stands as it is; those of the service model have AWS's frame around them.
pub(crate) fn refused(member: &str, value: &str, invalid: InvalidName) -> Fault {
    if let InvalidName::Refused(reason) = invalid {
        return Fault::validation(Reason::FieldValidationFailed, reason);
    }
    let violation: Violation = members::violation(invalid);
    Fault::validation(
        Reason::FieldValidationFailed,
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {violation}"
        ),
    )
}
