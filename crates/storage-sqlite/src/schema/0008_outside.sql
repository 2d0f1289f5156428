-- Payloads in stores outside of the database. Several stores may have the same
-- plugin, so they have names; the database has none.
ALTER TABLE secret_stores ADD COLUMN name TEXT;

-- Where a payload is, if not in its row: the store, and the act of putting it
-- there. The envelope then says where in the store, and how to know the payload
-- again. Both are NULL for a payload in the database.
ALTER TABLE secrets ADD COLUMN store INTEGER REFERENCES secret_stores (id);
ALTER TABLE secrets ADD COLUMN put BLOB
    CHECK ((put IS NULL) = (store IS NULL) AND (put IS NULL OR envelope IS NOT NULL));

CREATE UNIQUE INDEX secrets_outside ON secrets (store, put) WHERE store IS NOT NULL;

-- What was begun in a store and is not settled, or has to go from it. `due` is
-- NULL while a put is under way; else the payload is doomed, and `due` is when
-- its removal is tried next. `begun` is when the put was, where its end is not
-- known.
CREATE TABLE outbox (
    put BLOB PRIMARY KEY NOT NULL,
    store INTEGER NOT NULL REFERENCES secret_stores (id),
    secret BLOB NOT NULL,
    begun INTEGER,
    due INTEGER,
    attempts INTEGER NOT NULL,
    CHECK (begun IS NOT NULL OR due IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_due ON outbox (store, due) WHERE due IS NOT NULL;
CREATE INDEX outbox_begun ON outbox (begun) WHERE due IS NULL;
