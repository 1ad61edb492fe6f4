-- What packages are found by. One row for each package, of what a person is shown of it, and one for each term of it.
CREATE TABLE search_packages (
    package_id      {name}  NOT NULL PRIMARY KEY REFERENCES packages (id) ON DELETE CASCADE,
    repository_id   {name}  NOT NULL,
    folded          {name}  NOT NULL,               -- the name in small letters, with '-' for what is neither letter nor digit
    version         {name}  NOT NULL,               -- the newest that is listed; '': none, and then it is not found
    revision        {name}  NOT NULL,               -- of that version: what the terms were made from
    published       BIGINT  NOT NULL,
    summary         TEXT    NOT NULL,
    licenses        TEXT    NOT NULL                -- JSON
);

CREATE INDEX search_packages_by_name
    ON search_packages (repository_id, folded, package_id);

CREATE TABLE search_terms (
    package_id      {name}  NOT NULL REFERENCES packages (id) ON DELETE CASCADE,
    term            {name}  NOT NULL,
    repository_id   {name}  NOT NULL,
    weight          BIGINT  NOT NULL,               -- where it stands: the smaller, the more it says
    PRIMARY KEY (package_id, term)
);

CREATE INDEX search_terms_by_weight
    ON search_terms (repository_id, term, weight, package_id);

-- Digests that a file is found by, beside SHA-256, which the table of blobs has a key for.
CREATE INDEX blobs_by_md5
    ON blobs (domain_id, md5);

CREATE INDEX blobs_by_sha1
    ON blobs (domain_id, sha1);

CREATE INDEX blobs_by_sha512
    ON blobs (domain_id, sha512);

CREATE INDEX assets_of_blob_in_order
    ON assets (blob_id, version_id, name);
