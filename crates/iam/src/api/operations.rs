//! The table: every operation of IAM and STS that is answered here, and where.

use aws::QueryService;

use super::tags::Tagged;
use super::{
    Function, Operation, access_keys, account, attachments, boundaries, details, empty, groups,
    identity, inline, instance_profiles, oidc_providers, policies, roles, simulate, sts, tags,
    users, versions, web_identity,
};
use crate::holders::HolderKind::{Group, Role, User};

/// `Service Name => function (with what the function also wants to know)`; `[unsigned]` before it for what comes without a
/// signature.
macro_rules! operations {
    ($($service:ident $name:ident => $([$mark:ident])? $function:path $(, $also:expr)?;)*) => {
        &[$(Operation {
            service: QueryService::$service,
            name: stringify!($name),
            function: function!($($mark)? |call| Box::pin($function(call $(, $also)?))),
        },)*]
    };
}

macro_rules! function {
    (unsigned $function:expr) => {
        Function::Unsigned($function)
    };
    ($function:expr) => {
        Function::Signed($function)
    };
}

/// All operations.
pub const OPERATIONS: &[Operation] = operations! {
    Iam CreateUser => users::create;
    Iam GetUser => users::get;
    Iam ListUsers => users::list;
    Iam UpdateUser => users::update;
    Iam DeleteUser => users::delete;

    Iam CreateAccessKey => access_keys::create;
    Iam ListAccessKeys => access_keys::list;
    Iam UpdateAccessKey => access_keys::update;
    Iam DeleteAccessKey => access_keys::delete;
    Iam GetAccessKeyLastUsed => access_keys::last_used;

    Iam CreateGroup => groups::create;
    Iam GetGroup => groups::get;
    Iam ListGroups => groups::list;
    Iam UpdateGroup => groups::update;
    Iam DeleteGroup => groups::delete;
    Iam AddUserToGroup => groups::add_user;
    Iam RemoveUserFromGroup => groups::remove_user;
    Iam ListGroupsForUser => groups::list_for_user;

    Iam CreatePolicy => policies::create;
    Iam GetPolicy => policies::get;
    Iam ListPolicies => policies::list;
    Iam DeletePolicy => policies::delete;
    Iam ListEntitiesForPolicy => policies::entities;
    Iam CreatePolicyVersion => versions::create;
    Iam GetPolicyVersion => versions::get;
    Iam ListPolicyVersions => versions::list;
    Iam DeletePolicyVersion => versions::delete;
    Iam SetDefaultPolicyVersion => versions::set_default;

    Iam AttachUserPolicy => attachments::attach, User;
    Iam DetachUserPolicy => attachments::detach, User;
    Iam ListAttachedUserPolicies => attachments::list, User;
    Iam AttachGroupPolicy => attachments::attach, Group;
    Iam DetachGroupPolicy => attachments::detach, Group;
    Iam ListAttachedGroupPolicies => attachments::list, Group;
    Iam AttachRolePolicy => attachments::attach, Role;
    Iam DetachRolePolicy => attachments::detach, Role;
    Iam ListAttachedRolePolicies => attachments::list, Role;

    Iam PutUserPolicy => inline::put, User;
    Iam GetUserPolicy => inline::get, User;
    Iam DeleteUserPolicy => inline::delete, User;
    Iam ListUserPolicies => inline::list, User;
    Iam PutGroupPolicy => inline::put, Group;
    Iam GetGroupPolicy => inline::get, Group;
    Iam DeleteGroupPolicy => inline::delete, Group;
    Iam ListGroupPolicies => inline::list, Group;
    Iam PutRolePolicy => inline::put, Role;
    Iam GetRolePolicy => inline::get, Role;
    Iam DeleteRolePolicy => inline::delete, Role;
    Iam ListRolePolicies => inline::list, Role;

    Iam CreateRole => roles::create;
    Iam GetRole => roles::get;
    Iam ListRoles => roles::list;
    Iam UpdateRole => roles::update;
    Iam UpdateRoleDescription => roles::update_description;
    Iam UpdateAssumeRolePolicy => roles::update_trust_policy;
    Iam DeleteRole => roles::delete;

    Iam PutUserPermissionsBoundary => boundaries::put_user;
    Iam DeleteUserPermissionsBoundary => boundaries::delete_user;
    Iam PutRolePermissionsBoundary => boundaries::put_role;
    Iam DeleteRolePermissionsBoundary => boundaries::delete_role;

    Iam CreateInstanceProfile => instance_profiles::create;
    Iam GetInstanceProfile => instance_profiles::get;
    Iam ListInstanceProfiles => instance_profiles::list;
    Iam ListInstanceProfilesForRole => instance_profiles::list_for_role;
    Iam AddRoleToInstanceProfile => instance_profiles::add_role;
    Iam RemoveRoleFromInstanceProfile => instance_profiles::remove_role;
    Iam DeleteInstanceProfile => instance_profiles::delete;

    Iam CreateOpenIDConnectProvider => oidc_providers::create;
    Iam GetOpenIDConnectProvider => oidc_providers::get;
    Iam ListOpenIDConnectProviders => oidc_providers::list;
    Iam AddClientIDToOpenIDConnectProvider => oidc_providers::add_client_id;
    Iam RemoveClientIDFromOpenIDConnectProvider => oidc_providers::remove_client_id;
    Iam UpdateOpenIDConnectProviderThumbprint => oidc_providers::set_thumbprints;
    Iam DeleteOpenIDConnectProvider => oidc_providers::delete;

    Iam TagUser => tags::tag, Tagged::User;
    Iam UntagUser => tags::untag, Tagged::User;
    Iam ListUserTags => tags::list, Tagged::User;
    Iam TagRole => tags::tag, Tagged::Role;
    Iam UntagRole => tags::untag, Tagged::Role;
    Iam ListRoleTags => tags::list, Tagged::Role;
    Iam TagPolicy => tags::tag, Tagged::Policy;
    Iam UntagPolicy => tags::untag, Tagged::Policy;
    Iam ListPolicyTags => tags::list, Tagged::Policy;
    Iam TagInstanceProfile => tags::tag, Tagged::InstanceProfile;
    Iam UntagInstanceProfile => tags::untag, Tagged::InstanceProfile;
    Iam ListInstanceProfileTags => tags::list, Tagged::InstanceProfile;
    Iam TagOpenIDConnectProvider => tags::tag, Tagged::OidcProvider;
    Iam UntagOpenIDConnectProvider => tags::untag, Tagged::OidcProvider;
    Iam ListOpenIDConnectProviderTags => tags::list, Tagged::OidcProvider;

    Iam CreateAccountAlias => account::create_alias;
    Iam DeleteAccountAlias => account::delete_alias;
    Iam ListAccountAliases => account::list_aliases;
    Iam GetAccountSummary => account::summary;
    Iam GetAccountAuthorizationDetails => details::get;

    Iam SimulateCustomPolicy => simulate::custom;
    Iam SimulatePrincipalPolicy => simulate::principal;
    Iam GetContextKeysForCustomPolicy => simulate::custom_keys;
    Iam GetContextKeysForPrincipalPolicy => simulate::principal_keys;

    Iam ListMFADevices => empty::of_user, "MFADevices";
    Iam ListSSHPublicKeys => empty::of_user, "SSHPublicKeys";
    Iam ListSigningCertificates => empty::of_user, "Certificates";
    Iam ListServiceSpecificCredentials => empty::of_user, "ServiceSpecificCredentials";
    Iam ListVirtualMFADevices => empty::of_account, "VirtualMFADevices";
    Iam ListServerCertificates => empty::of_account, "ServerCertificateMetadataList";
    Iam ListSAMLProviders => empty::saml_providers;
    Iam GetLoginProfile => empty::login_profile;
    Iam DeleteLoginProfile => empty::login_profile;
    Iam GetAccountPasswordPolicy => empty::password_policy;

    Sts GetCallerIdentity => identity::get_caller_identity;
    Sts GetAccessKeyInfo => identity::get_access_key_info;
    Sts AssumeRole => sts::assume_role;
    Sts GetSessionToken => sts::get_session_token;
    Sts AssumeRoleWithWebIdentity => [unsigned] web_identity::assume_role;
};
