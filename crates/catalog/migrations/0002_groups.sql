-- Package groups. Every domain has the root group from its beginning: without a row for its pattern, which a domain gets
-- only when that group is changed, it allows everything.
CREATE TABLE package_groups (
    id                {name}  NOT NULL PRIMARY KEY,
    domain_id         {name}  NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    pattern           {name}  NOT NULL,
    contact_info      TEXT,
    description       TEXT,
    created           BIGINT  NOT NULL,
    publish           {name}  NOT NULL,
    external_upstream {name}  NOT NULL,
    internal_upstream {name}  NOT NULL,
    tags              TEXT    NOT NULL,
    UNIQUE (domain_id, pattern)
);

-- The repositories that a group names for a restriction whose mode is ALLOW_SPECIFIC_REPOSITORIES.
CREATE TABLE allowed_repositories (
    group_id          {name}  NOT NULL REFERENCES package_groups (id) ON DELETE CASCADE,
    restriction       {name}  NOT NULL,
    repository_id     {name}  NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, restriction, repository_id)
);

CREATE INDEX allowed_repositories_by_repository
    ON allowed_repositories (repository_id);

-- The packages of a whole domain are listed by name, whichever of its repositories have them.
CREATE INDEX packages_by_name
    ON packages (format, namespace, name, repository_id);
