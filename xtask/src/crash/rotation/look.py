"""Looks at the keys in a database where no server runs, or damages one.

look.py look DATABASE              what is under which key, as JSON; works on a copy
look.py damage-envelope DATABASE SECRET   turns a bit of what is sealed
look.py destroy-key DATABASE PROJECT      wipes the key of a project, which is still in use
"""

import json
import os
import shutil
import sqlite3
import sys
import tempfile

# A row and the key that seals it, of secrets and of orders.
SEALED = "(SELECT kek FROM secrets WHERE kek IS NOT NULL UNION ALL SELECT kek FROM orders WHERE kek IS NOT NULL)"


def look(database):
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "donjon.db")
        for end in "", "-wal":
            if os.path.exists(database + end):
                shutil.copy(database + end, copy + end)
        return state(sqlite3.connect(copy))


def state(db):
    one = lambda sql: db.execute(sql).fetchone()[0]
    return {
        "installed": one("SELECT lower(hex(root)) FROM deployment"),
        "roots": dict(db.execute("SELECT lower(hex(root)), count(*) FROM keks WHERE wrapped <> x'' GROUP BY root")),
        "sealed": one(f"SELECT count(*) FROM {SEALED}"),
        # How many rows each retired key that is not destroyed seals.
        "retired": [
            rows
            for rows, in db.execute(
                f"SELECT (SELECT count(*) FROM {SEALED} WHERE kek = uuid) FROM keks "
                "WHERE state = 2 AND wrapped <> x''"
            )
        ],
        "destroyed": one("SELECT count(*) FROM keks WHERE wrapped = x''"),
        # Rows whose key nobody has.
        "orphans": one(f"SELECT count(*) FROM {SEALED} WHERE kek NOT IN (SELECT uuid FROM keks WHERE wrapped <> x'')"),
    }


def damage_envelope(database, secret):
    db = sqlite3.connect(database)
    uuid = bytes.fromhex(secret.replace("-", ""))
    ((envelope,),) = db.execute("SELECT envelope FROM secrets WHERE uuid = ?", (uuid,))
    damaged = envelope[:-1] + bytes([envelope[-1] ^ 1])
    db.execute("UPDATE secrets SET envelope = ? WHERE uuid = ?", (damaged, uuid))
    db.commit()


def destroy_key(database, project):
    db = sqlite3.connect(database)
    done = db.execute(
        "UPDATE keks SET state = 2, root = zeroblob(16), wrapped = x'' "
        "WHERE state = 1 AND scope = (SELECT id FROM projects WHERE name = ?)",
        (project,),
    )
    assert done.rowcount == 1, done.rowcount
    db.commit()


what, *arguments = sys.argv[1:]
result = {"look": look, "damage-envelope": damage_envelope, "destroy-key": destroy_key}[what](*arguments)
json.dump(result, sys.stdout)
