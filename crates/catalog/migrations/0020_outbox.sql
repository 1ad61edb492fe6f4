-- What happened to versions and was not yet told to anybody. The names are those of the time: the repository may be gone
-- when it is told. Sequence comes first, so that whatever is taken of a package is its oldest.
CREATE TABLE outbox (
    sequence        BIGINT  NOT NULL,
    change_id       {name}  NOT NULL,
    domain_owner    {name}  NOT NULL,
    domain_name     {name}  NOT NULL,
    repository_name {name}  NOT NULL,
    administrator   {name}  NOT NULL,
    PRIMARY KEY (sequence, change_id)
);
