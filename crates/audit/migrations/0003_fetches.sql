-- Who fetched which version, and since when that is written down. A row stands for any number of fetches.
CREATE TABLE fetches (
    owner      {name}  NOT NULL,              -- account of the domain
    domain     {name}  NOT NULL,
    repository {name}  NOT NULL,              -- that was asked, whichever had it
    format     {name}  NOT NULL,
    namespace  {name}  NOT NULL,              -- '' for none
    name       {name}  NOT NULL,
    version    {name}  NOT NULL,
    principal  {name}  NOT NULL,              -- ARN
    source     {name}  NOT NULL,              -- address; '' if not known
    first      BIGINT  NOT NULL,
    last       BIGINT  NOT NULL,
    fetches    BIGINT  NOT NULL,
    PRIMARY KEY (owner, domain, repository, format, namespace, name, version, principal, source)
);
CREATE INDEX fetches_by_time ON fetches (last);

CREATE TABLE fetches_since (
    id    BIGINT  NOT NULL PRIMARY KEY,
    at    BIGINT  NOT NULL
);
