-- What formats whose lists show more than names keep: their own document of a version (npm's manifest) and of a file
-- (PyPI's marks of a wheel), JSON text; and when something of a package changed that is neither a new version nor a file.
ALTER TABLE versions ADD COLUMN document TEXT;

ALTER TABLE assets ADD COLUMN document TEXT;

ALTER TABLE packages ADD COLUMN edited BIGINT;
