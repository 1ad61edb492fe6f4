//! What may be done, and which resource policies have a say in it ("access-and-limits" 5 and 6.2 of the specification).

/// What an action is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The account: no resource, no resource policy.
    Account,
    /// A domain: the domain policy is looked at.
    Domain,
    /// A repository: domain and repository policy.
    Repository,
    /// A package: domain and repository policy.
    Package,
    /// A package group: the domain policy.
    PackageGroup,
    /// Whatever carries the tags.
    Tagged,
}

macro_rules! actions {
    ($($name:ident: $scope:ident,)*) => {
        /// The 51 actions of CodeArtifact: its 48 operations and three that have no operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names are AWS's; its service authorization reference describes each")]
        pub enum Action {
            $($name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Action] = &[$(Action::$name,)*];

            /// As IAM spells it: `codeartifact:DescribeDomain`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Action::$name => concat!("codeartifact:", stringify!($name)),)*
                }
            }

            /// What it is asked for.
            pub fn scope(self) -> Scope {
                match self {
                    $(Action::$name => Scope::$scope,)*
                }
            }
        }
    };
}

actions! {
    AssociateExternalConnection: Repository,
    AssociateWithDownstreamRepository: Repository,
    CopyPackageVersions: Package,
    CreateDomain: Account,
    CreatePackageGroup: Domain,
    CreateRepository: Domain,
    DeleteDomain: Domain,
    DeleteDomainPermissionsPolicy: Domain,
    DeletePackage: Package,
    DeletePackageGroup: PackageGroup,
    DeletePackageVersions: Package,
    DeleteRepository: Repository,
    DeleteRepositoryPermissionsPolicy: Repository,
    DescribeDomain: Domain,
    DescribePackage: Package,
    DescribePackageGroup: PackageGroup,
    DescribePackageVersion: Package,
    DescribeRepository: Repository,
    DisassociateExternalConnection: Repository,
    DisposePackageVersions: Package,
    GetAssociatedPackageGroup: PackageGroup,
    GetAuthorizationToken: Domain,
    GetDomainPermissionsPolicy: Domain,
    GetPackageVersionAsset: Package,
    GetPackageVersionReadme: Package,
    GetRepositoryEndpoint: Repository,
    GetRepositoryPermissionsPolicy: Repository,
    ListAllowedRepositoriesForGroup: PackageGroup,
    ListAssociatedPackages: PackageGroup,
    ListDomains: Account,
    ListPackageGroups: Domain,
    ListPackages: Repository,
    ListPackageVersionAssets: Package,
    ListPackageVersionDependencies: Package,
    ListPackageVersions: Package,
    ListRepositories: Account,
    ListRepositoriesInDomain: Domain,
    ListSubPackageGroups: PackageGroup,
    ListTagsForResource: Tagged,
    PublishPackageVersion: Package,
    PutDomainPermissionsPolicy: Domain,
    PutPackageMetadata: Package,
    PutPackageOriginConfiguration: Package,
    PutRepositoryPermissionsPolicy: Repository,
    ReadFromRepository: Repository,
    TagResource: Tagged,
    UntagResource: Tagged,
    UpdatePackageGroup: PackageGroup,
    UpdatePackageGroupOriginConfiguration: PackageGroup,
    UpdatePackageVersionsStatus: Package,
    UpdateRepository: Repository,
}

impl Action {
    /// Whether the domain policy has a say: not where it could lock out its own owner.
    pub(crate) fn asks_domain_policy(self) -> bool {
        self.scope() != Scope::Account && self != Action::PutDomainPermissionsPolicy
    }

    /// Whether the repository policy has a say.
    pub(crate) fn asks_repository_policy(self) -> bool {
        matches!(self.scope(), Scope::Repository | Scope::Package)
            && self != Action::PutRepositoryPermissionsPolicy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_48_operations_and_three_more() {
        assert_eq!(Action::ALL.len(), 51);
    }

    #[test]
    fn no_resource_policy_guards_its_own_replacement() {
        assert!(!Action::PutDomainPermissionsPolicy.asks_domain_policy());
        assert!(Action::PutRepositoryPermissionsPolicy.asks_domain_policy());
        assert!(!Action::PutRepositoryPermissionsPolicy.asks_repository_policy());
        assert!(
            Action::ReadFromRepository.asks_domain_policy()
                && Action::ReadFromRepository.asks_repository_policy()
        );
        assert!(!Action::ListDomains.asks_domain_policy());
    }
}
