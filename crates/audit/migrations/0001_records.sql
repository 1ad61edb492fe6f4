-- What was asked of this server, who asked, and what became of it. Times are milliseconds since 1970, UTC; documents
-- are JSON text.

-- One row for each account that a request concerns; id is the same in all of them and sorts by time.
CREATE TABLE audit_records (
    account   {name}  NOT NULL,
    id        {name}  NOT NULL,
    at        BIGINT  NOT NULL,
    event     {name}  NOT NULL,
    principal {name}  NOT NULL,               -- ARN; '' for nobody
    resource  {name}  NOT NULL,               -- ARN; '' for none
    failed    BIGINT  NOT NULL,
    document  TEXT    NOT NULL,
    PRIMARY KEY (id, account)
);
-- None begins with the account: without a filter the primary key is walked, newest first, and most of what is there is
-- the asking account's own.
CREATE INDEX audit_records_of_principal ON audit_records (principal, account, id);
CREATE INDEX audit_records_of_event ON audit_records (event, account, id);
CREATE INDEX audit_records_of_failures ON audit_records (failed, account, id) WHERE failed = 1;
CREATE INDEX audit_records_by_time ON audit_records (at);

-- Written in the transaction of a change, taken away when its record is in the table above. What a crash leaves here
-- is recorded as it stands.
CREATE TABLE audit_outbox (
    account   {name}  NOT NULL,
    id        {name}  NOT NULL,
    at        BIGINT  NOT NULL,
    event     {name}  NOT NULL,
    principal {name}  NOT NULL,
    resource  {name}  NOT NULL,
    failed    BIGINT  NOT NULL,
    document  TEXT    NOT NULL,
    PRIMARY KEY (id, account)
);
CREATE INDEX audit_outbox_by_time ON audit_outbox (at);

-- Refusals and what they rest on.
CREATE TABLE decisions (
    id         {name}  NOT NULL PRIMARY KEY,
    at         BIGINT  NOT NULL,
    request_id {name}  NOT NULL,
    account    {name}  NOT NULL,              -- the caller's
    owner      {name}  NOT NULL,              -- of what was asked for
    principal  {name}  NOT NULL,
    document   TEXT    NOT NULL
);
CREATE INDEX decisions_of_request ON decisions (request_id);
CREATE INDEX decisions_of_account ON decisions (account, id);
CREATE INDEX decisions_by_time ON decisions (at);
