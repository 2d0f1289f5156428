"""What an application credential with access rules reaches, over a real Keystone.

The rules are those that Manila makes for a share that is encrypted: GET on the path of the secret's reference, and GET
on its payload, of service `key-manager`. Nothing else may be reached with them, in whatever spelling.
"""

import http.client
import json
import os
import urllib.parse
import uuid

import pytest

BASE = urllib.parse.urlsplit(os.environ["CONFORMANCE_BASE"])
IDENTITY = urllib.parse.urlsplit(os.environ["OS_AUTH_URL"])
USERS = json.loads(os.environ["CONFORMANCE_USERS"])
SECONDS_MAX = 30


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.body = response.read()
        self.headers = response.headers

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%s %r" % (self.status, self.body[:500])


def send(where, method, path, token=None, body=None, headers=()):
    """Sends the path as it is: nobody here tidies it up."""
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=SECONDS_MAX)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        if token:
            connection.putheader("X-Auth-Token", token)
        for name, value in headers:
            connection.putheader(name, value)
        if body is None:
            connection.endheaders()
        else:
            data = json.dumps(body).encode()
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def keystone(method, path, token=None, body=None):
    answer = send(IDENTITY, method, IDENTITY.path.rstrip("/") + path, token, body)
    assert answer.status // 100 == 2, answer
    return answer


def issue(identity, scope=None):
    auth = {"identity": identity}
    if scope:
        auth["scope"] = scope
    answer = keystone("POST", "/auth/tokens", body={"auth": auth})
    return answer.headers["X-Subject-Token"]


def token_of(name):
    user = USERS[name]
    password = {"user": {"id": user["id"], "password": user["password"]}}
    scope = {"project": {"id": user["project_id"]}}
    return issue({"methods": ["password"], "password": password}, scope)


def limited(token, rules):
    """A token of a new application credential; `None` is one without rules."""
    wanted = {"name": uuid.uuid4().hex}
    if rules is not None:
        wanted["access_rules"] = [
            {"service": service, "method": method, "path": path} for service, method, path in rules
        ]
    path = "/users/%s/application_credentials" % USERS["member"]["id"]
    body = {"application_credential": wanted}
    # Requests at the same time may get Keystone's threads to mix up roles, which it notices itself.
    made = send(IDENTITY, "POST", IDENTITY.path.rstrip("/") + path, token, body)
    if made.status == 400 and b"role assignment" in made.body:
        made = keystone("POST", path, token, body)
    assert made.status == 201, made
    made = made.json()["application_credential"]
    identity = {"id": made["id"], "secret": made["secret"]}
    return issue({"methods": ["application_credential"], "application_credential": identity})


def call(method, path, token, **more):
    return send(BASE, method, BASE.path.rstrip("/") + path, token, **more)


def fetch_payload(path, token):
    return call("GET", path + "/payload", token, headers=[("Accept", "text/plain")])


class Scene:
    """A member with three secrets, of which a credential may read one."""

    def __init__(self):
        self.member = token_of("member")
        self.project = USERS["member"]["project_id"]
        self.canary = "canary-" + uuid.uuid4().hex
        self.allowed = self.store("allowed", "the allowed payload")
        self.other = self.store(self.canary, self.canary)
        secret_ref = {"name": self.canary, "secret_ref": self.reference}
        body = {"type": "generic", "name": self.canary, "secret_refs": [secret_ref]}
        made = call("POST", "/v1/containers", self.member, body=body)
        assert made.status == 201, made
        self.container = self.path_of(made.json()["container_ref"])
        self.token = limited(
            self.member,
            [
                ("key-manager", "GET", self.allowed),
                ("key-manager", "GET", self.allowed + "/payload"),
            ],
        )

    def store(self, name, payload):
        body = {"name": name, "payload": payload, "payload_content_type": "text/plain"}
        made = call("POST", "/v1/secrets", self.member, body=body)
        assert made.status == 201, made
        self.reference = made.json()["secret_ref"]
        return self.path_of(self.reference)

    @staticmethod
    def path_of(reference):
        """As Manila takes it from the reference."""
        return urllib.parse.urlsplit(reference).path

    def fill(self, path):
        known = {
            "{a}": self.allowed,
            "{b}": self.other,
            "{id}": self.allowed.rsplit("/", 1)[1],
            "{ID}": self.allowed.rsplit("/", 1)[1].upper(),
            "{other}": self.other.rsplit("/", 1)[1],
            "{container}": self.container,
            "{project}": self.project,
            # Each character of the id by its number.
            "{coded}": "".join("%%%02x" % ord(c) for c in self.allowed.rsplit("/", 1)[1]),
        }
        for name, value in known.items():
            path = path.replace(name, value)
        return path


@pytest.fixture(scope="module")
def scene():
    return Scene()


@pytest.fixture(autouse=True)
def nothing_is_changed(scene):
    yield
    for path, name, payload in (
        (scene.allowed, "allowed", "the allowed payload"),
        (scene.other, scene.canary, scene.canary),
    ):
        found = call("GET", path, scene.member)
        assert (found.status, found.json()["name"]) == (200, name)
        assert fetch_payload(path, scene.member).body == payload.encode()
        assert call("GET", path + "/metadata", scene.member).json() == {"metadata": {}}


# === what is allowed ===


def test_the_secret_is_reached(scene):
    answer = call("GET", scene.allowed, scene.token)
    assert answer.status == 200, answer
    assert answer.json()["name"] == "allowed"
    assert answer.json()["secret_ref"].endswith(scene.allowed)


def test_its_payload_is_reached(scene):
    answer = fetch_payload(scene.allowed, scene.token)
    assert (answer.status, answer.body) == (200, b"the allowed payload")


def test_again_and_again(scene):
    for _ in range(20):
        assert fetch_payload(scene.allowed, scene.token).status == 200
        assert fetch_payload(scene.other, scene.token).status == 401


# === what is not ===

REFUSED = [
    # Other methods.
    ("HEAD", "{a}"),
    ("POST", "{a}"),
    ("PUT", "{a}"),
    ("PATCH", "{a}"),
    ("DELETE", "{a}"),
    ("HEAD", "{a}/payload"),
    ("POST", "{a}/payload"),
    ("PUT", "{a}/payload"),
    ("DELETE", "{a}/payload"),
    ("get", "{a}"),
    ("Get", "{a}/payload"),
    # Other things.
    ("GET", "{b}"),
    ("GET", "{b}/payload"),
    ("DELETE", "{b}"),
    ("GET", "/v1/secrets"),
    ("GET", "/v1/secrets/"),
    ("POST", "/v1/secrets"),
    ("GET", "{a}/metadata"),
    ("PUT", "{a}/metadata"),
    ("POST", "{a}/metadata"),
    ("GET", "{a}/metadata/name"),
    ("GET", "{a}/acl"),
    ("PUT", "{a}/acl"),
    ("PATCH", "{a}/acl"),
    ("DELETE", "{a}/acl"),
    ("GET", "{a}/consumers"),
    ("POST", "{a}/consumers"),
    ("DELETE", "{a}/consumers"),
    ("GET", "{container}"),
    ("DELETE", "{container}"),
    ("GET", "/v1/containers"),
    ("POST", "/v1/containers"),
    ("GET", "/v1/orders"),
    ("POST", "/v1/orders"),
    ("GET", "/v1/quotas"),
    ("GET", "/v1/project-quotas"),
    ("GET", "/v1/secret-stores"),
    ("GET", "/v1/transport_keys"),
    # Less, more, and beside it.
    ("GET", "{a}/"),
    ("GET", "{a}/payload/"),
    ("GET", "{a}/payload/payload"),
    ("GET", "{a}x"),
    ("GET", "{a}.json"),
    ("GET", "{a};x"),
    ("GET", "/x{a}"),
    ("GET", "/v1/secrets/{ID}"),
    ("GET", "/V1/secrets/{id}"),
    ("GET", "/v1/Secrets/{id}"),
    ("GET", "/v2/secrets/{id}"),
    # Slashes.
    ("GET", "/{a}"),
    ("GET", "//{a}"),
    ("GET", "/{b}"),
    ("GET", "/v1//secrets/{id}"),
    ("GET", "/v1/secrets//{id}"),
    ("GET", "/v1/secrets//{other}"),
    ("GET", "{a}//payload"),
    ("GET", "//v1//secrets//{other}//payload"),
    # Dots.
    ("GET", "/v1/./secrets/{other}"),
    ("GET", "{a}/../{other}"),
    ("GET", "{a}/payload/../../{other}/payload"),
    ("GET", "/v1/secrets/{other}/../{id}"),
    ("GET", "{a}/.."),
    # The oldest form.
    ("GET", "/v1/{project}/secrets/{id}"),
    ("GET", "/v1/{project}/secrets/{other}"),
    ("GET", "/v1/{project}/secrets"),
    ("DELETE", "/v1/{project}/secrets/{id}"),
    ("POST", "/v1/{project}/secrets"),
    # Encoded.
    ("GET", "{a}%2F"),
    ("GET", "{a}%2F..%2F{other}"),
    ("GET", "{a}/%2e%2e/{other}"),
    ("GET", "{a}%2F%2E%2E%2F{other}/payload"),
    ("GET", "/v1/secrets%2F{other}"),
    ("GET", "/v1%2Fsecrets%2F{other}"),
    ("GET", "%2Fv1/secrets/{other}"),
    ("GET", "{a}%252F..%252F{other}"),
    ("GET", "{a}%00"),
    ("GET", "{a}%00/../{other}"),
    ("GET", "{a}%20"),
    ("GET", "{a}%0a"),
    ("GET", "{a}%3Fx"),
    ("GET", "{a}%23"),
    ("GET", "{a}%c0%af..%c0%af{other}"),
    ("GET", "{a}%ff"),
    ("GET", "{a}%"),
    ("GET", "{a}%zz"),
    ("DELETE", "/v1/secrets/{coded}"),
    # Queries that look like paths.
    ("GET", "/v1/secrets?{a}"),
    ("GET", "{b}?{a}"),
    ("GET", "{b}/payload?path={a}/payload"),
    ("GET", "/v1/secrets/?/../{id}"),
]


@pytest.mark.parametrize(("method", "path"), REFUSED, ids=[" ".join(case) for case in REFUSED])
def test_nothing_else(scene, method, path):
    path = scene.fill(path)
    body = {} if method in ("POST", "PUT", "PATCH") else None
    answer = call(method, path, scene.token, body=body)
    # A request that is none at all is refused before anybody asks who sent it.
    assert answer.status in (400, 401, 404, 405, 501), answer
    if answer.status in (404, 405):
        # Without the rules it is the same: there is nothing at this address.
        assert call(method, path, scene.member, body=body).status == answer.status
    assert scene.canary.encode() not in answer.body
    assert b"allowed payload" not in answer.body


REACHED_OR_REFUSED = [
    "{a}?",
    "{a}?limit=100&offset=0",
    "{a}?name=../{other}",
    "{a}#fragment",
    "/v1/secrets/{coded}",
    "/%76%31/secrets/{id}",
    "/v1/%73ecrets/{coded}",
]


@pytest.mark.parametrize("path", REACHED_OR_REFUSED)
def test_other_spellings_lead_to_the_same_secret_or_nowhere(scene, path):
    answer = call("GET", scene.fill(path), scene.token)
    assert answer.status in (200, 400, 401), answer
    assert scene.canary.encode() not in answer.body
    if answer.status == 200:
        assert answer.json()["name"] == "allowed"


OVERRIDES = [
    [("X-HTTP-Method-Override", "DELETE")],
    [("X-HTTP-Method", "DELETE"), ("X-Method-Override", "DELETE")],
    [("X-Original-URL", "{b}"), ("X-Rewrite-URL", "{b}")],
    [("X-Forwarded-Prefix", "{b}"), ("X-Forwarded-Path", "{b}")],
    [("X-Identity-Status", "Confirmed"), ("X-Roles", "admin"), ("X-Project-Id", "{project}")],
    [("X-Service-Identity-Status", "Confirmed"), ("X-Service-Roles", "service")],
    [("OpenStack-Identity-Access-Rules", "")],
]


@pytest.mark.parametrize("number", range(len(OVERRIDES)))
def test_headers_change_nothing(scene, number):
    headers = [(name, scene.fill(value)) for name, value in OVERRIDES[number]]
    answer = call("GET", scene.allowed, scene.token, headers=headers)
    assert (answer.status, answer.json()["name"]) == (200, "allowed")
    answer = call("GET", scene.other, scene.token, headers=headers)
    assert answer.status == 401, answer


def test_the_refusal_says_where_keystone_is(scene):
    answer = call("GET", scene.other, scene.token)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


# === other rules ===


def reaches(token, path):
    answers = call("GET", path, token), fetch_payload(path, token)
    return [answer.status for answer in answers]


def test_each_rule_is_for_itself(scene):
    token = limited(scene.member, [("key-manager", "GET", scene.allowed)])
    assert reaches(token, scene.allowed) == [200, 401]
    token = limited(scene.member, [("key-manager", "GET", scene.allowed + "/payload")])
    assert reaches(token, scene.allowed) == [401, 200]
    assert reaches(token, scene.other) == [401, 401]


def test_rules_of_other_services_are_nothing(scene):
    for service in ("compute", "key-managers", "Key-Manager", "identity"):
        token = limited(scene.member, [(service, "GET", scene.allowed)])
        assert reaches(token, scene.allowed) == [401, 401], service


def test_an_empty_list_of_rules_is_none_at_all(scene):
    # Keystone stores an empty list as none.
    assert reaches(limited(scene.member, []), scene.other) == [200, 200]


def test_names_and_stars_stand_for_parts(scene):
    token = limited(scene.member, [("key-manager", "GET", "/v1/secrets/{secret_id}")])
    assert reaches(token, scene.allowed) == [200, 401]
    assert reaches(token, scene.other) == [200, 401]
    assert call("GET", "/v1/secrets", token).status == 401
    token = limited(scene.member, [("key-manager", "GET", "/v1/*/*/payload")])
    assert reaches(token, scene.other) == [401, 200]
    token = limited(scene.member, [("key-manager", "GET", "/v1/secrets/**")])
    assert reaches(token, scene.other) == [200, 200]
    assert call("GET", scene.container, token).status == 401
    assert call("DELETE", scene.other, token).status == 401


def test_without_rules_it_is_the_user(scene):
    token = limited(scene.member, None)
    assert reaches(token, scene.other) == [200, 200]
    assert call("GET", "/v1/secrets", token).status == 200


def test_a_service_passes_more_on(scene):
    service = [("X-Service-Token", token_of("nova"))]
    answer = call("GET", scene.other, scene.token, headers=service)
    assert answer.status == 200, answer
    # And not one that is none.
    for bad in ("nobody", scene.member[:-4] + "AAAA"):
        headers = [("X-Service-Token", bad)]
        assert call("GET", scene.other, scene.token, headers=headers).status == 401
