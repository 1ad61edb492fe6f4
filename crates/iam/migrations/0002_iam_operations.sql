-- What the operations of IAM keep besides principals and their policies.

-- Carries one role to a machine.
CREATE TABLE instance_profiles (
    id         {name} NOT NULL PRIMARY KEY,        -- AIPA…
    account_id {name} NOT NULL REFERENCES accounts (id),
    name       {name} NOT NULL,
    name_key   {name} NOT NULL,
    path       {name} NOT NULL,
    created    BIGINT NOT NULL
);
CREATE UNIQUE INDEX instance_profile_by_name ON instance_profiles (account_id, name_key);

CREATE TABLE instance_profile_roles (
    profile_id {name} NOT NULL PRIMARY KEY REFERENCES instance_profiles (id),
    role_id    {name} NOT NULL REFERENCES roles (id)
);
CREATE INDEX instance_profiles_of_role ON instance_profile_roles (role_id);

-- Issuers of tokens that roles may trust. The ARN is also the holder of the provider's tags.
CREATE TABLE oidc_providers (
    arn         {name} NOT NULL PRIMARY KEY,
    account_id  {name} NOT NULL REFERENCES accounts (id),
    url         {name} NOT NULL,                   -- without https://
    client_ids  TEXT   NOT NULL,                   -- JSON [text, …]: audiences, in the order in which they were added
    thumbprints TEXT   NOT NULL,                   -- JSON [40 hex digits, …]
    created     BIGINT NOT NULL
);
CREATE INDEX oidc_providers_of_account ON oidc_providers (account_id, arn);

ALTER TABLE accounts ADD COLUMN alias {name};
CREATE UNIQUE INDEX account_by_alias ON accounts (alias);

-- When a session of the role last signed a request, and in which region.
ALTER TABLE roles ADD COLUMN last_used BIGINT;
ALTER TABLE roles ADD COLUMN last_used_region TEXT;

-- Whether a policy limits anybody is asked before it is deleted.
CREATE INDEX users_within_boundary ON users (boundary);
CREATE INDEX roles_within_boundary ON roles (boundary);

-- The keys of an account's root have no user.
CREATE INDEX access_keys_of_account ON access_keys (account_id, user_id);
