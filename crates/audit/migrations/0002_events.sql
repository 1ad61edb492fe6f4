-- Events and who is told of them.

-- One row for each account that is told.
CREATE TABLE events (
    account  {name}  NOT NULL,
    id       {name}  NOT NULL,
    at       BIGINT  NOT NULL,
    package  {name}  NOT NULL,                -- ARN
    sequence BIGINT  NOT NULL,
    document TEXT    NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX events_of_account_by_time ON events (account, at, id);
CREATE INDEX events_by_time ON events (at);

CREATE TABLE webhooks (
    id          {name}  NOT NULL PRIMARY KEY,
    account     {name}  NOT NULL,
    url         TEXT    NOT NULL,
    description TEXT    NOT NULL,
    filter      TEXT    NOT NULL,             -- JSON
    enabled     BIGINT  NOT NULL,
    secret      TEXT    NOT NULL,             -- sealed
    created     BIGINT  NOT NULL,
    delivered   BIGINT,                       -- when something last arrived
    failed      BIGINT,                       -- when something last did not
    failure     TEXT,                         -- why
    abandoned   BIGINT  NOT NULL              -- how many were given up
);
CREATE INDEX webhooks_of_account ON webhooks (account, id);

-- What a webhook has not received yet. It keeps its own copy: an event may be forgotten before a receiver comes back.
CREATE TABLE deliveries (
    webhook_id {name}  NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    package    {name}  NOT NULL,
    sequence   BIGINT  NOT NULL,
    id         {name}  NOT NULL,              -- of the delivery
    event_id   {name}  NOT NULL,
    document   TEXT    NOT NULL,
    since      BIGINT  NOT NULL,
    attempts   BIGINT  NOT NULL,
    due        BIGINT  NOT NULL,
    PRIMARY KEY (webhook_id, package, sequence, id)
);
CREATE INDEX deliveries_due ON deliveries (due);
