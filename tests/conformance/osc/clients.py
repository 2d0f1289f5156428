"""Runs commands of OpenStack's clients, one after another, for `cargo xtask conformance osc`.

Reads one JSON object a line, {"program": "openstack" or "barbican", "words": [...], "environment": {...}}, runs the
program's own `main` with these words in a process of its own, in the current folder, and answers each with a line
{"code": 0, "stdout": "...", "stderr": "..."}. A process that is forked has everything imported already, which is most
of what a command takes.
"""

import importlib.metadata
import json
import os
import sys
import tempfile
import traceback

import barbicanclient.barbican
import openstackclient.shell
from barbicanclient.barbican_cli.v1.secrets import ListSecret
from keystoneauth1 import loading

PROGRAMS = {
    "openstack": openstackclient.shell.main,
    "barbican": barbicanclient.barbican.main,
}


def preload():
    """Has what every command imports and finds out imported and found out."""
    for distribution in importlib.metadata.distributions():
        for entry_point in distribution.entry_points:
            if entry_point.group.startswith("openstack."):
                entry_point.load()
    loading.get_available_plugin_loaders()
    ListSecret(None, None).get_parser("secret list")


def run(program, words, environment):
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        child = os.fork()
        if child == 0:
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            os.environ.update(environment)
            os._exit(code_of(program, words))
        _, status = os.waitpid(child, 0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "stdout": text(stdout),
            "stderr": text(stderr),
        }


def code_of(program, words):
    """What the interpreter would end with after running the program."""
    sys.argv = [program, *words]
    code = 1
    try:
        code = PROGRAMS[program](words) or 0
    except SystemExit as end:
        code = end.code or 0
        if not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def text(file):
    file.seek(0)
    return file.read().decode("utf-8", "replace")


if __name__ == "__main__":
    preload()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(**json.loads(line))) + "\n")
        sys.stdout.flush()
