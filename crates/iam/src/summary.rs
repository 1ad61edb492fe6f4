//! How many of each an account has, beside how many it may have.

use aws::AccountId;

use crate::quotas::{self, Quota};
use crate::{Error, Iam};

const COUNTS: &str = "
    SELECT (SELECT COUNT(*) FROM users WHERE account_id = $1) AS users,
           (SELECT COUNT(*) FROM groups WHERE account_id = $1) AS groups,
           (SELECT COUNT(*) FROM roles WHERE account_id = $1) AS roles,
           (SELECT COUNT(*) FROM policies WHERE account_id = $1) AS policies,
           (SELECT COUNT(*) FROM policy_versions v JOIN policies p ON p.id = v.policy_id WHERE p.account_id = $1) AS versions,
           (SELECT COUNT(*) FROM instance_profiles WHERE account_id = $1) AS profiles,
           (SELECT COUNT(*) FROM oidc_providers WHERE account_id = $1) AS providers,
           (SELECT COUNT(*) FROM access_keys WHERE account_id = $1 AND user_id IS NULL) AS root_keys";

/// Versions of policies that an account may have, as AWS says it; five for each of 1500 policies are less.
const VERSIONS_IN_USE: u64 = 10_000;

impl Iam {
    /// The entries of `GetAccountSummary`. What cannot exist here is counted as none.
    pub(crate) async fn summary(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(&'static str, u64)>, Error> {
        let rows = self
            .database()
            .rows(COUNTS, vec![account.as_str().into()])
            .await?;
        let count = |column: &str| match rows.first() {
            Some(row) => row.size(column),
            None => Ok(0),
        };
        let root_keys = count("root_keys")?;
        let trust_policy = self.settings().trust_policy_quota;
        let limit = |quota: Quota| quota.limit;
        Ok(vec![
            ("Users", count("users")?),
            ("UsersQuota", limit(quotas::USERS)),
            ("Groups", count("groups")?),
            ("GroupsQuota", limit(quotas::GROUPS)),
            ("Roles", count("roles")?),
            ("RolesQuota", limit(quotas::ROLES)),
            ("Policies", count("policies")?),
            ("PoliciesQuota", limit(quotas::POLICIES)),
            ("PolicyVersionsInUse", count("versions")?),
            ("PolicyVersionsInUseQuota", VERSIONS_IN_USE),
            ("VersionsPerPolicyQuota", quotas::POLICY_VERSIONS),
            ("PolicySizeQuota", 6144),
            ("InstanceProfiles", count("profiles")?),
            ("InstanceProfilesQuota", limit(quotas::INSTANCE_PROFILES)),
            ("Providers", count("providers")?),
            ("AccessKeysPerUserQuota", limit(quotas::ACCESS_KEYS)),
            ("GroupsPerUserQuota", limit(quotas::GROUPS_PER_USER)),
            (
                "AttachedPoliciesPerUserQuota",
                limit(quotas::POLICIES_PER_USER),
            ),
            (
                "AttachedPoliciesPerGroupQuota",
                limit(quotas::POLICIES_PER_GROUP),
            ),
            (
                "AttachedPoliciesPerRoleQuota",
                limit(quotas::POLICIES_PER_ROLE),
            ),
            ("UserPolicySizeQuota", 2048),
            ("GroupPolicySizeQuota", 5120),
            ("RolePolicySizeQuota", 10_240),
            ("AssumeRolePolicySizeQuota", trust_policy as u64),
            ("AccountAccessKeysPresent", root_keys.min(1)),
            ("AccountMFAEnabled", 0),
            ("AccountPasswordPresent", 0),
            ("AccountSigningCertificatesPresent", 0),
            ("MFADevices", 0),
            ("MFADevicesInUse", 0),
            ("ServerCertificates", 0),
            ("ServerCertificatesQuota", 0),
            ("SigningCertificatesPerUserQuota", 0),
            ("GlobalEndpointTokenVersion", 1),
        ])
    }
}
