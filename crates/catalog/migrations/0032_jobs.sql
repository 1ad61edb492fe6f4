-- Work that is done aside: what was asked for, what runs, what came of it.
CREATE TABLE job_runs (
    id              {name}  NOT NULL PRIMARY KEY,
    job             {name}  NOT NULL,               -- Sweep, Scrub, Lifecycle, LifecycleUndo
    repository_id   {name}  NOT NULL,               -- '' for work on everything
    of_run          {name}  NOT NULL,               -- the run that is undone; '' otherwise
    state           {name}  NOT NULL,               -- Queued, Running, Succeeded, Failed, Interrupted
    principal       TEXT    NOT NULL,
    asked           BIGINT  NOT NULL,
    started         BIGINT,
    ended           BIGINT,
    counts          TEXT    NOT NULL,               -- JSON
    failure         TEXT
);

CREATE INDEX job_runs_by_job
    ON job_runs (job, repository_id, id);

CREATE INDEX job_runs_of_repository
    ON job_runs (repository_id, id);

CREATE INDEX job_runs_by_state
    ON job_runs (state, id);

CREATE INDEX job_runs_by_time
    ON job_runs (asked);

CREATE TABLE lifecycle_rules (
    repository_id   {name}  NOT NULL PRIMARY KEY REFERENCES repositories (id) ON DELETE CASCADE,
    changed         BIGINT  NOT NULL,
    principal       TEXT    NOT NULL,
    document        TEXT    NOT NULL                -- JSON
);

CREATE TABLE lifecycle_results (
    run_id          {name}  NOT NULL REFERENCES job_runs (id) ON DELETE CASCADE,
    position        BIGINT  NOT NULL,
    format          {name}  NOT NULL,
    namespace       {name}  NOT NULL,
    name            {name}  NOT NULL,
    version         {name}  NOT NULL,
    rule            TEXT    NOT NULL,
    act             {name}  NOT NULL,               -- Archive, Dispose, Delete
    status          {name}  NOT NULL,               -- before
    failure         TEXT,                           -- why it was not done
    restored        BIGINT,
    PRIMARY KEY (run_id, position)
);

-- Blobs whose bytes are not what they were when they came. They are not sent to anybody.
CREATE TABLE quarantined_blobs (
    blob_id         {name}  NOT NULL PRIMARY KEY REFERENCES blobs (id) ON DELETE CASCADE,
    found           BIGINT  NOT NULL,
    run_id          {name}  NOT NULL,
    problem         TEXT    NOT NULL
);
