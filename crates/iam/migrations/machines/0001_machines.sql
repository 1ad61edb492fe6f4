-- Machines: what is enrolled, and which instance profile each carries.

CREATE TABLE machines (
    id            {name} NOT NULL PRIMARY KEY,     -- i-…
    account_id    {name} NOT NULL REFERENCES accounts (id),
    name          {name} NOT NULL,                 -- for people; two machines may have the same
    state         {name} NOT NULL,                 -- waiting, enrolled, disabled
    public_key    {name},                          -- Ed25519, 64 hex digits; null: it can prove nothing
    server        TEXT,                            -- the server's address as the agent has it: part of what it signs
    code_hash     {name},                          -- SHA-256 of the enrolment code; null when spent
    code_expires  BIGINT,
    host_name     TEXT,                            -- what the agent said of its host, for the operator
    host_id       TEXT,
    enrolled      BIGINT,
    enrolled_from TEXT,                            -- address
    seen          BIGINT,                          -- when it last had credentials
    seen_from     TEXT,                            -- from which address
    seen_before   TEXT,                            -- the address before that one
    created       BIGINT NOT NULL
);
CREATE INDEX machines_of_account ON machines (account_id, id);
CREATE UNIQUE INDEX machine_by_code ON machines (code_hash);

-- A machine carries at most one profile. The profile may be deleted meanwhile, as on AWS; then the machine has no role.
CREATE TABLE machine_profiles (
    association_id {name} NOT NULL PRIMARY KEY,    -- iip-assoc-…
    machine_id     {name} NOT NULL REFERENCES machines (id),
    account_id     {name} NOT NULL,
    profile_id     {name} NOT NULL,                -- AIPA…
    profile_arn    TEXT   NOT NULL,
    created        BIGINT NOT NULL
);
CREATE UNIQUE INDEX profile_of_machine ON machine_profiles (machine_id);
CREATE INDEX machine_profiles_of_account ON machine_profiles (account_id, association_id);

-- What was signed is good once. Kept for as long as it could be shown again.
CREATE TABLE machine_nonces (
    machine_id   {name} NOT NULL,
    nonce        {name} NOT NULL,
    forget_after BIGINT NOT NULL,
    PRIMARY KEY (machine_id, nonce)
);

-- The ARN of the machine that a session was made for; null for all others.
ALTER TABLE sessions ADD COLUMN source_instance {name};
CREATE INDEX sessions_of_machine ON sessions (source_instance, forget_after);
