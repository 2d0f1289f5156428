-- Secret stores that were ever configured. `id` is the order of creation.
CREATE TABLE secret_stores (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    plugin TEXT NOT NULL,
    crypto_plugin TEXT,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;

-- Which one a project prefers, where it does.
CREATE TABLE preferred_secret_stores (
    project INTEGER PRIMARY KEY REFERENCES projects (id),
    store INTEGER NOT NULL REFERENCES secret_stores (id)
) STRICT;
