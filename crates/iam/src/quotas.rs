//! How many of each there may be: AWS's default quotas, with the names that its error texts have for them.

use crate::Error;

/// A number that must not be exceeded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    name: &'static str,
    /// The number itself, also shown by `GetAccountSummary`.
    pub(crate) limit: u64,
}

impl Quota {
    const fn new(name: &'static str, limit: u64) -> Self {
        Self { name, limit }
    }

    /// Whether there is room for one more beside `used`. Errors: [`Error::Quota`].
    pub(crate) fn room(self, used: u64) -> Result<(), Error> {
        if used < self.limit {
            return Ok(());
        }
        let Self { name, limit } = self;
        Err(Error::Quota(format!(
            "Cannot exceed quota for {name}: {limit}"
        )))
    }
}

pub(crate) const USERS: Quota = Quota::new("UsersPerAccount", 5000);
pub(crate) const GROUPS: Quota = Quota::new("GroupsPerAccount", 300);
pub(crate) const ROLES: Quota = Quota::new("RolesPerAccount", 1000);
pub(crate) const POLICIES: Quota = Quota::new("PoliciesPerAccount", 1500);
pub(crate) const INSTANCE_PROFILES: Quota = Quota::new("InstanceProfilesPerAccount", 1000);
pub(crate) const MACHINES: Quota = Quota::new("MachinesPerAccount", 10_000);
pub(crate) const OIDC_PROVIDERS: Quota = Quota::new("OpenIdConnectProvidersPerAccount", 100);
pub(crate) const CLIENT_IDS: Quota = Quota::new("ClientIdsPerOpenIdConnectProvider", 100);
pub(crate) const ACCESS_KEYS: Quota = Quota::new("AccessKeysPerUser", 2);
pub(crate) const GROUPS_PER_USER: Quota = Quota::new("GroupsPerUser", 10);
pub(crate) const POLICIES_PER_USER: Quota = Quota::new("PoliciesPerUser", 10);
pub(crate) const POLICIES_PER_GROUP: Quota = Quota::new("PoliciesPerGroup", 10);
pub(crate) const POLICIES_PER_ROLE: Quota = Quota::new("PoliciesPerRole", 10);
pub(crate) const ROLES_PER_PROFILE: Quota = Quota::new("InstanceSessionsPerInstanceProfile", 1);
/// Versions of a managed policy; its error text has no name of a quota.
pub(crate) const POLICY_VERSIONS: u64 = 5;
/// Tags of one thing; likewise.
pub(crate) const TAGS: usize = 50;
/// Characters of a trust policy, white space not counted, unless the settings say otherwise.
pub(crate) const TRUST_POLICY: usize = 2048;
