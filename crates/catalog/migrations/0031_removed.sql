-- Bytes that nothing refers to, and since when the sweep knows it. Taken away when something refers to them again.
CREATE TABLE released_blobs (
    blob_id         {name}  NOT NULL PRIMARY KEY REFERENCES blobs (id) ON DELETE CASCADE,
    since           BIGINT  NOT NULL
);

CREATE INDEX released_blobs_by_time
    ON released_blobs (since);

-- Versions that were disposed of or deleted, with all that is needed to bring them back. Refers to nothing by key, so
-- that it outlives its subject.
CREATE TABLE removed_versions (
    id              {name}  NOT NULL PRIMARY KEY,
    repository_id   {name}  NOT NULL,
    format          {name}  NOT NULL,
    namespace       {name}  NOT NULL,
    name            {name}  NOT NULL,
    version         {name}  NOT NULL,
    removed         BIGINT  NOT NULL,
    principal       TEXT    NOT NULL,
    act             {name}  NOT NULL,               -- Dispose, Delete
    run_id          {name}  NOT NULL,               -- of a job; '' for nobody's
    document        TEXT    NOT NULL
);

CREATE INDEX removed_versions_of_package
    ON removed_versions (repository_id, format, namespace, name, version, id);

CREATE INDEX removed_versions_by_time
    ON removed_versions (removed);
