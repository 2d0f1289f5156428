-- Times are microseconds since 1970-01-01T00:00:00 UTC, ids of entities the 16
-- bytes of their UUIDs. A secret's `place` is (project << 40) | ordinal, where
-- ordinals count up within a project: the table itself is in the order of a
-- project's list. Places are not used twice.

-- What was applied to this file, and a hash of each script (FNV-1a, 64 bits).
CREATE TABLE migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    applied INTEGER NOT NULL
) STRICT;

-- One row. `commit_seq` grows by one with every commit that changes anything;
-- `next_creation` numbers secrets over all projects; no secret that expired
-- after `swept_until` has counted = 0; `clean` is 1 between an orderly close
-- and the next start.
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    commit_seq INTEGER NOT NULL,
    next_creation INTEGER NOT NULL,
    swept_until INTEGER NOT NULL,
    clean INTEGER NOT NULL CHECK (clean IN (0, 1))
) STRICT;

INSERT INTO state VALUES (1, 0, 0, -9223372036854775808, 0);

-- The installation: one row, or none before the first start is complete.
CREATE TABLE deployment (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    uuid BLOB NOT NULL,
    root BLOB NOT NULL,
    canary BLOB NOT NULL,
    created INTEGER NOT NULL
) STRICT;

-- `live` is the number of the project's secrets with counted = 1.
CREATE TABLE projects (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 8388606),
    name TEXT NOT NULL UNIQUE,
    next_ordinal INTEGER NOT NULL,
    live INTEGER NOT NULL
) STRICT;

-- Keys that encrypt keys and payloads, wrapped by a root key. `scope` is a
-- project's id, or -1 for the server's key that hashes tokens. `state` is 1
-- (active) or 2 (retired).
CREATE TABLE keks (
    uuid BLOB PRIMARY KEY NOT NULL,
    scope INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state IN (1, 2)),
    root BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (scope, generation)
) STRICT;

CREATE UNIQUE INDEX keks_active ON keks (scope) WHERE state = 1;

-- Secrets with their sealed payloads: there is a payload exactly where there is
-- a content type. `acl` is 0 (none), 1 (open to the project) or 2 (private).
-- `counted` is 1 until the sweep takes an expired secret out of the counts.
-- Types are numbered in the order of their names, so that they sort by name.
CREATE TABLE secrets (
    place INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    project INTEGER NOT NULL GENERATED ALWAYS AS (place >> 40) VIRTUAL,
    counted INTEGER NOT NULL CHECK (counted IN (0, 1)),
    acl INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    expiration INTEGER,
    secret_type INTEGER NOT NULL,
    content_type INTEGER,
    bit_length INTEGER,
    creation INTEGER NOT NULL,
    creator TEXT,
    name TEXT,
    algorithm TEXT,
    mode TEXT,
    kek BLOB REFERENCES keks (uuid),
    envelope BLOB,
    CHECK ((content_type IS NULL) = (kek IS NULL)),
    CHECK ((content_type IS NULL) = (envelope IS NULL))
) STRICT;

-- What has expired but still counts: per project for lists, over all for the
-- sweep; and what the sweep took out, to bring it back if the clock goes back.
CREATE INDEX secrets_expiring ON secrets (project, expiration)
    WHERE counted = 1 AND expiration IS NOT NULL;
CREATE INDEX secrets_to_sweep ON secrets (expiration)
    WHERE counted = 1 AND expiration IS NOT NULL;
CREATE INDEX secrets_swept ON secrets (expiration) WHERE counted = 0;

-- How many secrets with counted = 1 lie in each block of 256 places; a block is
-- named by its first place divided by 256. Blocks without any have no row.
CREATE TABLE blocks (
    block INTEGER PRIMARY KEY,
    live INTEGER NOT NULL CHECK (live > 0)
) STRICT;

-- The rest of an ACL beside secrets.acl.
CREATE TABLE acls (
    place INTEGER PRIMARY KEY REFERENCES secrets (place) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

CREATE TABLE acl_users (
    place INTEGER NOT NULL REFERENCES acls (place) ON DELETE CASCADE,
    user TEXT NOT NULL,
    PRIMARY KEY (place, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX acl_users_by_user ON acl_users (user, place);

-- `number` counts up within a secret, in the order of registration.
CREATE TABLE secret_consumers (
    place INTEGER NOT NULL REFERENCES secrets (place) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    uuid BLOB NOT NULL,
    project TEXT NOT NULL,
    service TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (place, number),
    UNIQUE (place, service, resource_type, resource_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_metadata (
    place INTEGER NOT NULL REFERENCES secrets (place) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (place, key)
) STRICT, WITHOUT ROWID;

-- Locally issued tokens by their keyed hashes. `roles` has each role behind its
-- length in bytes and a colon: `5:admin6:member`.
CREATE TABLE tokens (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    hash BLOB NOT NULL UNIQUE,
    project TEXT NOT NULL,
    user TEXT NOT NULL,
    roles TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    last_used INTEGER
) STRICT;
