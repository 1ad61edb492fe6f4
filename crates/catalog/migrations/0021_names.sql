-- The names of packages that a domain records, whichever of its repositories do, by what they look like: then all that a
-- package group may have lies together. A name that looks two ways (a capital I is an i and looks like an l) stands here
-- twice. Of the looks only the beginning is kept, so that the key stays short.
CREATE TABLE package_names (
    domain_id       {name}  NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
    format          {name}  NOT NULL,
    looks           {name}  NOT NULL,
    namespace       {name}  NOT NULL,
    name            {name}  NOT NULL,
    PRIMARY KEY (domain_id, format, looks, namespace, name)
);
