-- Projects that the identity service has said it knows, by their ids there.
-- `missed` is since when it has not known one that it knew; NULL while it does.
CREATE TABLE known_projects (
    name TEXT PRIMARY KEY NOT NULL,
    missed INTEGER
) STRICT, WITHOUT ROWID;
