"""Serves a real Keystone on a port of this machine.

usage: serve_keystone.py FOLDER PORT

FOLDER holds keystone.conf; the database and the keys come to it at the first start. PORT 0 takes a free one. The
password of the administrator is read from BOOTSTRAP_PASSWORD. Once it answers, it prints "listening on PORT".
"""

import os
import sys

from wsgi_server import Handler, Server

FOLDER, PORT = sys.argv[1], int(sys.argv[2])
CONFIG = os.path.join(FOLDER, "keystone.conf")


def manage(*words):
    from keystone.cmd import manage as keystone_manage

    sys.argv = ["keystone-manage", "--config-file", CONFIG, *words]
    code = os.fork()
    if code == 0:
        # Each command reads the configuration anew, which one process does once.
        status = keystone_manage.main()
        sys.stdout.flush()
        os._exit(status or 0)
    _, status = os.waitpid(code, 0)
    if status != 0:
        sys.exit("keystone-manage %s failed" % words[0])


def bootstrap(url):
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    manage("fernet_setup", *owner)
    manage("credential_setup", *owner)
    manage("db_sync")
    manage(
        "bootstrap",
        "--bootstrap-password",
        os.environ["BOOTSTRAP_PASSWORD"],
        "--bootstrap-service-name",
        "keystone",
        "--bootstrap-region-id",
        "RegionOne",
        "--bootstrap-public-url",
        url,
        "--bootstrap-internal-url",
        url,
        "--bootstrap-admin-url",
        url,
    )


def main():
    server = Server(("127.0.0.1", PORT), Handler)
    port = server.server_port
    if not os.path.exists(os.path.join(FOLDER, "keystone.db")):
        bootstrap("http://127.0.0.1:%d/v3" % port)
    sys.argv = ["keystone"]
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = CONFIG
    from keystone.server.wsgi import initialize_public_application

    server.set_app(initialize_public_application())
    print("listening on %d" % port, flush=True)
    server.serve_forever()


main()
