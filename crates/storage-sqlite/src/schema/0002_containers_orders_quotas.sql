-- Containers, orders, quotas and transport keys. Containers and orders have
-- places as secrets do, each kind with ordinals of its own; `creation` of an
-- order comes from `state.next_creation`, as that of a secret does.

-- The next ordinals, and how many of each a project has. Consumers are counted
-- for the project that registered them, wherever they are registered.
ALTER TABLE projects ADD COLUMN next_container INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN next_order INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN container_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN order_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN secret_consumer_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN container_consumer_count INTEGER NOT NULL DEFAULT 0;

INSERT INTO projects (name, next_ordinal, live)
    SELECT DISTINCT project, 0, 0 FROM secret_consumers
    WHERE project NOT IN (SELECT name FROM projects);

UPDATE projects SET secret_consumer_count = registered.total
    FROM (SELECT project, count(*) AS total FROM secret_consumers GROUP BY project) AS registered
    WHERE registered.project = projects.name;

-- `acl` is as in secrets. Types are numbered: generic, rsa, dsa, certificate.
CREATE TABLE containers (
    place INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    acl INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    container_type INTEGER NOT NULL,
    creator TEXT,
    name TEXT
) STRICT;

-- How many containers lie in each block of 256 places, as in blocks.
CREATE TABLE container_blocks (
    block INTEGER PRIMARY KEY,
    live INTEGER NOT NULL CHECK (live > 0)
) STRICT;

-- Entries by the places of both. `number` counts up over all containers.
CREATE TABLE container_entries (
    number INTEGER PRIMARY KEY,
    container INTEGER NOT NULL REFERENCES containers (place) ON DELETE CASCADE,
    secret INTEGER NOT NULL REFERENCES secrets (place) ON DELETE CASCADE,
    name TEXT
) STRICT;

-- Absent names are equal here; no text is equal to 0.
CREATE UNIQUE INDEX container_entries_once
    ON container_entries (container, secret, coalesce(name, 0));
CREATE INDEX container_entries_by_secret ON container_entries (secret);

CREATE TABLE container_acls (
    place INTEGER PRIMARY KEY REFERENCES containers (place) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

CREATE TABLE container_acl_users (
    place INTEGER NOT NULL REFERENCES container_acls (place) ON DELETE CASCADE,
    user TEXT NOT NULL,
    PRIMARY KEY (place, user)
) STRICT, WITHOUT ROWID;

-- `number` counts up among those with one name: the order of registration.
CREATE TABLE container_consumers (
    place INTEGER NOT NULL REFERENCES containers (place) ON DELETE CASCADE,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    uuid BLOB NOT NULL,
    project TEXT NOT NULL,
    url TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (place, name, number),
    UNIQUE (place, name, url)
) STRICT, WITHOUT ROWID;

-- `order_type` is 0 (key) or 1 (asymmetric), `state` 0 (pending), 1 (active) or
-- 2 (error). What an order made is named by its UUID, whether or not it is
-- still there. The sealed passphrase goes when the order ends.
CREATE TABLE orders (
    place INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    creation INTEGER NOT NULL,
    order_type INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),
    bit_length INTEGER NOT NULL,
    content_type INTEGER,
    expiration INTEGER,
    algorithm TEXT NOT NULL,
    mode TEXT,
    name TEXT,
    creator TEXT,
    made_secret BLOB,
    made_container BLOB,
    status_code TEXT,
    reason TEXT,
    kek BLOB REFERENCES keks (uuid),
    passphrase BLOB,
    meta TEXT NOT NULL,
    CHECK ((state = 1) = (made_secret IS NOT NULL OR made_container IS NOT NULL)),
    CHECK (made_secret IS NULL OR made_container IS NULL),
    CHECK ((state = 2) = (status_code IS NOT NULL)),
    CHECK ((status_code IS NULL) = (reason IS NULL)),
    CHECK ((kek IS NULL) = (passphrase IS NULL)),
    CHECK (state = 0 OR passphrase IS NULL)
) STRICT;

CREATE INDEX orders_pending ON orders (creation) WHERE state = 0;

-- How many orders lie in each block of 256 places, as in blocks.
CREATE TABLE order_blocks (
    block INTEGER PRIMARY KEY,
    live INTEGER NOT NULL CHECK (live > 0)
) STRICT;

-- What is configured for a project; NULL is left to the server's default.
-- `number` is the order in which projects got a row.
CREATE TABLE project_quotas (
    number INTEGER PRIMARY KEY,
    project INTEGER NOT NULL UNIQUE REFERENCES projects (id),
    secrets INTEGER,
    orders INTEGER,
    containers INTEGER,
    consumers INTEGER,
    cas INTEGER
) STRICT;

-- `id` is the order of creation.
CREATE TABLE transport_keys (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    plugin_name TEXT NOT NULL,
    transport_key TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

-- For the clean-up of tokens that expired long ago.
CREATE INDEX tokens_expiring ON tokens (expires) WHERE expires IS NOT NULL;
