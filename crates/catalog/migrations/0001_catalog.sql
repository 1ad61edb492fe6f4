-- Times are milliseconds since 1970, UTC. Tags, manifests and changes are JSON text. Ids are made by us: 26 characters,
-- in order of time. A namespace that a package does not have is '', so that it can be part of a key.

CREATE TABLE domains (
    id              {name}  NOT NULL PRIMARY KEY,
    number          BIGINT  NOT NULL UNIQUE,        -- what tokens carry; random, so never used again
    owner           {name}  NOT NULL,
    name            {name}  NOT NULL,
    encryption_key  TEXT    NOT NULL,
    created         BIGINT  NOT NULL,
    tags            TEXT    NOT NULL,
    policy          TEXT,
    policy_revision TEXT,
    UNIQUE (owner, name)
);

CREATE TABLE repositories (
    id              {name}  NOT NULL PRIMARY KEY,
    domain_id       {name}  NOT NULL REFERENCES domains (id),
    name            {name}  NOT NULL,
    administrator   {name}  NOT NULL,
    description     TEXT,
    connection      {name},
    created         BIGINT  NOT NULL,
    tags            TEXT    NOT NULL,
    policy          TEXT,
    policy_revision TEXT,
    UNIQUE (domain_id, name)
);

CREATE INDEX repositories_of_administrator
    ON repositories (administrator, domain_id, name);

CREATE TABLE upstreams (
    repository_id   {name}  NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    position        BIGINT  NOT NULL,
    upstream_id     {name}  NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    PRIMARY KEY (repository_id, position)
);

CREATE INDEX upstreams_by_upstream
    ON upstreams (upstream_id);

CREATE TABLE packages (
    id              {name}  NOT NULL PRIMARY KEY,
    repository_id   {name}  NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    format          {name}  NOT NULL,
    namespace       {name}  NOT NULL,
    name            {name}  NOT NULL,
    publish         {name}  NOT NULL,
    upstream        {name}  NOT NULL,
    UNIQUE (repository_id, format, namespace, name)
);

CREATE TABLE versions (
    id                 {name}  NOT NULL PRIMARY KEY,
    package_id         {name}  NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    version            {name}  NOT NULL,
    status             {name}  NOT NULL,
    revision           {name}  NOT NULL,
    origin_type        {name}  NOT NULL,
    origin_repository  {name},
    origin_connection  {name},
    published          BIGINT  NOT NULL,            -- when this record was made
    published_upstream BIGINT,                      -- what the registry says
    manifest           TEXT    NOT NULL,
    UNIQUE (package_id, version)
);

CREATE INDEX versions_of_package_by_time
    ON versions (package_id, published, version);

-- The bytes of a domain: equal ones stand here once.
CREATE TABLE blobs (
    id              {name}  NOT NULL PRIMARY KEY,
    domain_id       {name}  NOT NULL REFERENCES domains (id),
    size_bytes      BIGINT  NOT NULL,
    md5             {name}  NOT NULL,
    sha1            {name}  NOT NULL,
    sha256          {name}  NOT NULL,
    sha512          {name}  NOT NULL,
    location        {name}  NOT NULL UNIQUE,
    stored          BIGINT  NOT NULL,
    UNIQUE (domain_id, sha256)
);

CREATE TABLE assets (
    version_id      {name}  NOT NULL REFERENCES versions (id) ON DELETE CASCADE,
    name            {name}  NOT NULL,
    blob_id         {name}  NOT NULL REFERENCES blobs (id),
    modified        BIGINT  NOT NULL,
    PRIMARY KEY (version_id, name)
);

CREATE INDEX assets_of_blob
    ON assets (blob_id);

CREATE TABLE labels (
    package_id      {name}  NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    label           {name}  NOT NULL,
    version         {name}  NOT NULL,
    PRIMARY KEY (package_id, label)
);

-- What happened, written in the transaction in which it happened. Refers to nothing by key, so that it outlives its
-- subject. Folding the documents of a package up to a time gives its listing at that time.
CREATE TABLE changes (
    id              {name}  NOT NULL PRIMARY KEY,
    domain_id       {name}  NOT NULL,
    repository_id   {name}  NOT NULL,
    format          {name}  NOT NULL,
    namespace       {name}  NOT NULL,
    name            {name}  NOT NULL,
    sequence        BIGINT  NOT NULL,               -- grows with each change of the package
    at              BIGINT  NOT NULL,
    principal       TEXT    NOT NULL,
    document        TEXT    NOT NULL,
    UNIQUE (repository_id, format, namespace, name, sequence)
);

-- What a format remembers about a repository between requests.
CREATE TABLE notes (
    repository_id   {name}  NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    format          {name}  NOT NULL,
    note_key        {name}  NOT NULL,
    text            TEXT    NOT NULL,
    written         BIGINT  NOT NULL,
    expires         BIGINT,
    PRIMARY KEY (repository_id, format, note_key)
);

CREATE INDEX notes_by_expiry
    ON notes (expires);

-- Copies of the documents of public registries, one for the whole installation.
CREATE TABLE remote_documents (
    connection      {name}  NOT NULL,
    path            {name}  NOT NULL,
    location        {name},                         -- of the bytes; NULL: the registry says that there is none
    size_bytes      BIGINT  NOT NULL,
    sha256          {name}  NOT NULL,
    etag            TEXT,
    last_modified   TEXT,
    changed         BIGINT  NOT NULL,
    asked           BIGINT  NOT NULL,
    PRIMARY KEY (connection, path)
);

CREATE INDEX remote_documents_by_location
    ON remote_documents (location);
