-- Who there is, what they may do, and what proves that it is them.
--
-- Times are milliseconds since 1970, UTC. Sealed columns hold the form of vault.rs and can only be read with the
-- master key, which is never in the database. Ids are made up once and never used again.

CREATE TABLE accounts (
    id              {name} NOT NULL PRIMARY KEY,   -- twelve digits
    organization_id TEXT,                          -- aws:PrincipalOrgID; the key is absent without it
    created         BIGINT NOT NULL
);

-- One row per account and version; the owner 'installation' is for what belongs to no account (token keys).
CREATE TABLE data_keys (
    owner      {name} NOT NULL,
    version    BIGINT NOT NULL,
    master_key {name} NOT NULL,                    -- which master key wraps it
    wrapped    TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    PRIMARY KEY (owner, version)
);

CREATE TABLE users (
    id         {name} NOT NULL PRIMARY KEY,        -- AIDA…
    account_id {name} NOT NULL REFERENCES accounts (id),
    name       {name} NOT NULL,                    -- as created
    name_key   {name} NOT NULL,                    -- in lower case: unique and looked up without case
    path       {name} NOT NULL,
    boundary   {name},                             -- ARN of a managed policy
    created    BIGINT NOT NULL
);
CREATE UNIQUE INDEX user_by_name ON users (account_id, name_key);

CREATE TABLE groups (
    id         {name} NOT NULL PRIMARY KEY,        -- AGPA…
    account_id {name} NOT NULL REFERENCES accounts (id),
    name       {name} NOT NULL,
    name_key   {name} NOT NULL,
    path       {name} NOT NULL,
    created    BIGINT NOT NULL
);
CREATE UNIQUE INDEX group_by_name ON groups (account_id, name_key);

CREATE TABLE group_members (
    user_id  {name} NOT NULL REFERENCES users (id),
    group_id {name} NOT NULL REFERENCES groups (id),
    PRIMARY KEY (user_id, group_id)
);
CREATE INDEX members_of_group ON group_members (group_id);

CREATE TABLE roles (
    id                  {name} NOT NULL PRIMARY KEY,   -- AROA…
    account_id          {name} NOT NULL REFERENCES accounts (id),
    name                {name} NOT NULL,
    name_key            {name} NOT NULL,
    path                {name} NOT NULL,
    description         TEXT,
    trust_policy        TEXT   NOT NULL,               -- principals as unique ids, so that a namesake is not trusted
    max_session_seconds BIGINT NOT NULL,
    boundary            {name},
    created             BIGINT NOT NULL
);
CREATE UNIQUE INDEX role_by_name ON roles (account_id, name_key);

-- Managed policies that customers made; those of AWS are part of the program.
CREATE TABLE policies (
    id              {name} NOT NULL PRIMARY KEY,       -- ANPA…
    account_id      {name} NOT NULL REFERENCES accounts (id),
    arn             {name} NOT NULL,
    name            {name} NOT NULL,
    name_key        {name} NOT NULL,
    path            {name} NOT NULL,
    description     TEXT,
    default_version BIGINT NOT NULL,
    next_version    BIGINT NOT NULL,                   -- version numbers are never used twice
    created         BIGINT NOT NULL,
    updated         BIGINT NOT NULL
);
CREATE UNIQUE INDEX policy_by_arn ON policies (arn);
CREATE UNIQUE INDEX policy_by_name ON policies (account_id, name_key);

CREATE TABLE policy_versions (
    policy_id {name} NOT NULL REFERENCES policies (id),
    version   BIGINT NOT NULL,
    document  TEXT   NOT NULL,                         -- as it was sent: positions in it are shown again
    created   BIGINT NOT NULL,
    PRIMARY KEY (policy_id, version)
);

-- The holder is a user, a group or a role. The ARN may be one of AWS's own policies, so nothing is referenced.
CREATE TABLE attachments (
    holder_id  {name} NOT NULL,
    policy_arn {name} NOT NULL,
    attached   BIGINT NOT NULL,
    PRIMARY KEY (holder_id, policy_arn)
);
CREATE INDEX holders_of_policy ON attachments (policy_arn);

CREATE TABLE inline_policies (
    holder_id {name} NOT NULL,
    name      {name} NOT NULL,
    document  TEXT   NOT NULL,
    PRIMARY KEY (holder_id, name)
);

-- Tags of whatever has a unique id: users, roles, policies and their like.
CREATE TABLE principal_tags (
    holder_id {name} NOT NULL,
    tag_key   {name} NOT NULL,                         -- in lower case: unique without case
    shown_key {name} NOT NULL,                         -- as written
    value     TEXT   NOT NULL,
    PRIMARY KEY (holder_id, tag_key)
);

CREATE TABLE access_keys (
    id                {name} NOT NULL PRIMARY KEY,     -- AKIA…
    account_id        {name} NOT NULL REFERENCES accounts (id),
    user_id           {name} REFERENCES users (id),    -- null: the account's root
    status            {name} NOT NULL,                 -- Active, Inactive
    secret            TEXT   NOT NULL,                 -- sealed
    created           BIGINT NOT NULL,
    last_used         BIGINT,
    last_used_service TEXT,
    last_used_region  TEXT
);
CREATE INDEX access_keys_of_user ON access_keys (user_id);

-- What stands behind a token or temporary credentials. Kept until the last token made from it has ended.
CREATE TABLE sessions (
    id                 {name} NOT NULL PRIMARY KEY,    -- 32 hex digits
    kind               {name} NOT NULL,                -- token (of a long-term key), role, user (GetSessionToken)
    account_id         {name} NOT NULL,
    principal_kind     {name} NOT NULL,                -- root, user, role
    principal_id       {name} NOT NULL,                -- AIDA…, AROA…, or the account id for its root
    access_key_id      {name},                         -- the long-term key that it all began with, if any
    ancestors          TEXT   NOT NULL,                -- JSON [[id, issued], …]: the session that it was obtained with, and so on
    session_name       TEXT,
    tags               TEXT   NOT NULL,                -- JSON [[key, value], …]: passed or inherited, not the role's own
    transitive_tags    TEXT   NOT NULL,                -- JSON [key, …]
    source_identity    TEXT,
    federated_provider TEXT,
    policies           TEXT,                           -- JSON {"inline": text, "managed": [arn, …]}; null: not limited
    secret             TEXT,                           -- sealed; null for kind token
    issued             BIGINT NOT NULL,
    expires            BIGINT NOT NULL,
    forget_after       BIGINT NOT NULL
);
CREATE INDEX sessions_to_forget ON sessions (forget_after);

-- Kills what was issued at or before not_before.
CREATE TABLE revocations (
    subject_kind {name} NOT NULL,                      -- token, session, access-key, principal
    subject_id   {name} NOT NULL,
    not_before   BIGINT NOT NULL,
    forget_after BIGINT NOT NULL,
    PRIMARY KEY (subject_kind, subject_id)
);
CREATE INDEX revocations_to_forget ON revocations (forget_after);

CREATE TABLE token_keys (
    kid     BIGINT NOT NULL PRIMARY KEY,               -- 0 to 65535
    purpose {name} NOT NULL,                           -- bearer, sts
    state   {name} NOT NULL,                           -- pending, active, retiring, gone
    secret  TEXT   NOT NULL,                           -- sealed; empty when gone
    created BIGINT NOT NULL,
    changed BIGINT NOT NULL                            -- when it came into this state
);
