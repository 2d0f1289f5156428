"""Serves a real Barbican on a free port of this machine.

usage: serve_barbican.py FOLDER

FOLDER holds barbican.conf; the database comes to it. Once it answers, it prints "listening on PORT".
"""

import os
import sys

from wsgi_server import Handler, Server

FOLDER = sys.argv[1]


def main():
    server = Server(("127.0.0.1", 0), Handler)
    # Where Barbican looks for barbican.conf, and what it puts in front of references.
    os.environ["HOME"] = FOLDER
    os.environ["OS_DEFAULT__HOST_HREF"] = "http://127.0.0.1:%d" % server.server_port
    sys.argv = ["barbican-api"]
    from paste import deploy

    paste = os.path.join(sys.prefix, "etc", "barbican", "barbican-api-paste.ini")
    server.set_app(deploy.loadapp("config:" + paste))
    print("listening on %d" % server.server_port, flush=True)
    server.serve_forever()


main()
