-- How far something that is kept of every package has been made for packages that were recorded before it was kept.
CREATE TABLE catch_up (
    what            {name}  NOT NULL PRIMARY KEY,
    up_to           {name}  NOT NULL,               -- the last package that has it; '' none yet
    is_done         BIGINT  NOT NULL                -- 1: all have it
);
