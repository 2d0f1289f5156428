-- Named entries that were taken out of their containers, by the places of both.
-- `number` counts up within a container: the order in which they went.
CREATE TABLE removed_container_entries (
    container INTEGER NOT NULL REFERENCES containers (place) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    secret INTEGER NOT NULL REFERENCES secrets (place) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (container, number),
    UNIQUE (container, secret, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX removed_container_entries_by_secret ON removed_container_entries (secret);
