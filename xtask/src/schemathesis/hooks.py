"""What Schemathesis cannot know of a key manager: which things there are.

Ids are chosen by the server, so most calls would end in 404. Before a call whose path is well-formed, what it names is
made, and with it what the call wants to find there; a part is left as it came, for the 404s. Bodies that are
well-formed get values with which they can succeed, in about every second case. A part of the calls is made by others
than the owner of these things, or asks for media types that there are not.

After each call its status is counted. The counts are written to COUNTS when the run ends.
"""

import atexit
import collections
import http.client
import itertools
import json
import os
import re
import sqlite3
import threading
import urllib.parse
import uuid

import schemathesis
from schemathesis.core.parameters import ParameterLocation

BASE = os.environ["DONJON_BASE"]
HOST = urllib.parse.urlsplit(BASE).netloc
OWNER, READER, STRANGER = os.environ["DONJON_TOKENS"].split(",")
DATABASE = os.environ["DONJON_DATABASE"]
COUNTS = os.environ["DONJON_COUNTS"]
PROJECT = "default"

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
TYPES = [None, "*/*", "application/json", "text/plain", "application/octet-stream", "application/pkcs8", "text/html",
         "text/plain;charset=utf-8"]
KEYS = [("des", 64), ("hmacsha256", 256), ("aes", 256), ("ec", 256), ("ed25519", 256), ("none", 8), ("aes", 8)]

local = threading.local()
numbers = itertools.count()
statuses = collections.defaultdict(collections.Counter)
# Of requests with methods that the document does not have.
others = collections.Counter()
# Ids that answers named. Steps that have one of them were led there by an earlier one.
known = set()


# === the owner's own calls ===

def ask(method, path, body=None):
    """The answer's status, its JSON, and its Location."""
    headers = {"X-Auth-Token": OWNER}
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    response, raw = exchange(method, path, body, headers)
    return response.status, json.loads(raw) if raw else None, response.headers.get("Location", "")


def exchange(method, path, body, headers):
    kept = getattr(local, "connection", None)
    # The server closes connections that wait for long.
    for connection in filter(None, (kept, http.client.HTTPConnection(HOST))):
        local.connection = connection
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()
        except (OSError, http.client.HTTPException):
            if connection is not kept:
                raise


def made(path, body):
    status, answer, location = ask("POST", path, body)
    if status not in (201, 202):
        raise RuntimeError(f"POST {path} {body}: {status} {answer}")
    return location.rsplit("/", 1)[1]


def secret(complete=True):
    return made("/v1/secrets", {"payload": "hush", "payload_content_type": "text/plain"} if complete else {})


def secret_ref():
    return f"{BASE}/v1/secrets/{secret()}"


def container():
    return made("/v1/containers", {"type": "generic", "name": "c"})


def order():
    return made("/v1/orders", {"type": "key", "meta": {"algorithm": "aes", "bit_length": 128}})


def transport_key():
    return made("/v1/transport_keys", {"plugin_name": "p", "transport_key": "k"})


def consumer_id(table):
    """The id of the newest registration: no answer has it."""
    database = sqlite3.connect(f"file:{urllib.parse.quote(DATABASE)}?mode=ro", uri=True, timeout=10)
    try:
        (found,) = database.execute(f"SELECT uuid FROM {table} ORDER BY created DESC LIMIT 1").fetchone()
    finally:
        database.close()
    return str(uuid.UUID(bytes=found))


def preferred(store):
    ask("POST", f"/v1/secret-stores/{store}/preferred")
    return store


def store():
    _, answer, _ = ask("GET", "/v1/secret-stores")
    return answer["secret_stores"][0]["secret_store_ref"].rsplit("/", 1)[1]


# === cases ===

@schemathesis.hook
def before_call(context, case, kwargs):
    phase = "" if case.meta is None else case.meta.phase.name
    # Examples have to succeed, since they are what shows that an operation works at all. Scenarios have to end the same
    # whenever they are repeated, or Hypothesis gives them up.
    is_steady = phase in ("examples", "stateful")
    number = next(numbers)
    operation = case.operation.definition.raw["operationId"].replace("Tenant", "")
    token, accept = OWNER, None
    if not is_steady:
        token = {3: READER, 7: STRANGER, 11: None, 15: "djn_not-a-token"}.get(number % 24, OWNER)
        accept = "text/html" if number % 24 == 19 else None
        if operation in ("getSecret", "getPayload"):
            accept = TYPES[number % len(TYPES)]
    if token is not None:
        case.headers["X-Auth-Token"] = token
    if accept is not None:
        case.headers["Accept"] = accept
    if is_well_formed(case, ParameterLocation.PATH):
        number = 2 if is_steady else number
        if phase != "examples" or operation in ("addContainerSecret", "removeContainerSecret"):
            fill_body(operation, case, number)
        fill_path(operation, case, number)


def is_well_formed(case, location):
    return case.meta is None or not case.meta.is_negative_at(location)


def fill_body(operation, case, number):
    """Gives the fields that depend on one another, or on what is there, values that fit.

    Bodies that were made wrong get them too, more rarely: so the one thing that is wrong about them is what has to be
    refused. Where this mends them, Schemathesis finds that out and takes them for right.
    """
    body = case.body
    if not isinstance(body, dict) or number % (4 if is_well_formed(case, ParameterLocation.BODY) else 2) == 0:
        return
    body = dict(body)
    if operation == "createSecret":
        if "expiration" in body:
            body["expiration"] = "2100-01-01T00:00:00Z"
        if "payload" in body or "payload_content_type" in body:
            body["payload"] = "aHVzaA=="
            in_base64 = "payload_content_encoding" in body
            body["payload_content_type"] = "application/octet-stream" if in_base64 else "text/plain"
        else:
            body.pop("payload_content_encoding", None)
        body.pop("transport_key_id", None)
        body.pop("transport_key_needed", None)
    elif operation == "createContainer" and body.get("secret_refs") and isinstance(body["secret_refs"], list):
        count = len(body["secret_refs"][:3])
        body["type"] = "generic"
        body["secret_refs"] = [{"name": f"n{n}", "secret_ref": secret_ref()} for n in range(count)]
    elif operation == "createOrder" and isinstance(body.get("meta", body.get("secret")), dict):
        key = "meta" if "meta" in body else "secret"
        meta = dict(body[key])
        if "algorithm" in meta and "bit_length" in meta:
            meta["algorithm"], meta["bit_length"] = KEYS[number % len(KEYS)]
        for field in ("expiration", "payload_content_type", "creator_id"):
            meta.pop(field, None)
        body[key] = meta
    elif operation in ("addContainerSecret", "removeContainerSecret") and "secret_ref" in body:
        body["secret_ref"] = secret_ref()
    else:
        return
    case.body = body


def fill_path(operation, case, number):
    path = case.path_parameters
    if "tenant" in path and number % 16 != 5:
        path["tenant"] = PROJECT
    if operation == "getPreferredStore" and number % 4:
        preferred(store())
    was_led_here = case.meta is not None and case.meta.phase.name == "stateful" and not known.isdisjoint(path.values())
    if was_led_here or number % 8 == 1:
        return
    body = case.body if is_well_formed(case, ParameterLocation.BODY) and isinstance(case.body, dict) else None
    if "secret_id" in path:
        path["secret_id"] = of_secret(operation, path, secret(operation != "putSecret"), body, case)
    if "container_id" in path:
        path["container_id"] = of_container(operation, path, container(), body)
    if "order_id" in path:
        path["order_id"] = order()
    if "transport_key_id" in path:
        path["transport_key_id"] = transport_key()
    if "store_id" in path:
        path["store_id"] = preferred(store()) if operation == "forgetPreferredStore" else store()
    if "project_id" in path:
        project = f"p{number}"
        path["project_id"] = project
        ask("PUT", f"/v1/project-quotas/{project}", {"project_quotas": {"secrets": 5}})


def of_secret(operation, path, made_id, body, case):
    """Gives the new secret what the call is about."""
    root = f"/v1/secrets/{made_id}"
    if "key" in path:
        # Keys are kept in lower case, and looked for as they are.
        path["key"] = "owner"
        ask("PUT", f"{root}/metadata", {"metadata": {"owner": "web"}})
        if body is not None and "key" in body:
            case.body = {**body, "key": "owner"}
    elif operation == "removeSecretConsumer" and body is not None:
        ask("POST", f"{root}/consumers", body)
    elif operation == "getSecretConsumer":
        ask("POST", f"{root}/consumers", {"service": "s", "resource_type": "t", "resource_id": "r"})
        path["consumer_id"] = consumer_id("secret_consumers")
    elif operation == "getSecretAcl":
        ask("PUT", f"{root}/acl", {"read": {"users": ["u"], "project-access": False}})
    return made_id


def of_container(operation, path, made_id, body):
    """Gives the new container what the call is about."""
    root = f"/v1/containers/{made_id}"
    if operation == "removeContainerSecret" and body is not None:
        ask("POST", f"{root}/secrets", body)
    elif operation == "removeContainerConsumer" and body is not None:
        # The oldest form may spell it in small letters.
        ask("POST", f"/v1/{PROJECT}/containers/{made_id}/consumers", body)
    elif operation == "getContainerConsumer":
        ask("POST", f"{root}/consumers", {"name": "n", "URL": "u"})
        path["consumer_id"] = consumer_id("container_consumers")
    return made_id


# === what came of them ===

@schemathesis.hook
def after_call(context, case, response):
    is_documented = case.method.upper() == case.operation.method.upper()
    counter = statuses[case.operation.label] if is_documented else others
    counter[response.status_code] += 1
    for location in response.headers.get("location", []):
        known.update(re.findall(UUID, location))


@atexit.register
def write_counts():
    with open(COUNTS, "w", encoding="utf-8") as file:
        json.dump({"operations": statuses, "other_methods": others}, file)
