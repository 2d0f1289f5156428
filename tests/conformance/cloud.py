"""Fresh projects and users at the Keystone of a test run.

They are made as the administrator, `admin` of `CONFORMANCE_USERS`, or else whom the `OS_*` variables name, at
`OS_AUTH_URL`. What a test makes here is gone when the test ends. Needs `requests` alone, so that it works beside every
client, the oldest too.
"""

import json
import os
import uuid

import requests

DOMAIN = "Default"
REGION = os.environ.get("OS_REGION_NAME")
TIMEOUT_S = 60


def auth_url():
    """The identity API's address, which ends in `/v3`."""
    url = os.environ["OS_AUTH_URL"].rstrip("/")
    return url if url.endswith("/v3") else url + "/v3"


def administrator():
    """The account of the administrator, without ids."""
    users = os.environ.get("CONFORMANCE_USERS")
    if users:
        admin = json.loads(users)["admin"]
        return Account(admin["name"], admin["password"], None, admin["project"], None)
    names = ("OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME")
    name, password, project = (os.environ[name] for name in names)
    return Account(name, password, None, project, None)


class Account:
    """A user with roles in one project."""

    def __init__(self, name, password, user_id, project_name, project_id):
        self.name = name
        self.password = password
        self.user_id = user_id
        self.project_name = project_name
        self.project_id = project_id

    @property
    def project(self):
        """Name and id, as `Cloud.account` takes them."""
        return self.project_name, self.project_id

    def token(self):
        """A new token, and what Keystone says about it."""
        user = {"name": self.name, "domain": {"name": DOMAIN}, "password": self.password}
        project = {"name": self.project_name, "domain": {"name": DOMAIN}}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": project},
            }
        }
        answer = requests.post(auth_url() + "/auth/tokens", json=body, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.headers["X-Subject-Token"], answer.json()["token"]

    def endpoint(self):
        """The key manager's address in the catalog of the region, as it stands there."""
        for service in self.token()[1]["catalog"]:
            if service["type"] != "key-manager":
                continue
            for endpoint in service["endpoints"]:
                if REGION in (None, endpoint["region_id"]):
                    return endpoint["url"]
        raise LookupError("the catalog has no key-manager")

    def password_options(self):
        """The arguments of keystoneauth's `v3.Password`."""
        return {
            "auth_url": auth_url(),
            "username": self.name,
            "password": self.password,
            "user_domain_name": DOMAIN,
            "project_name": self.project_name,
            "project_domain_name": DOMAIN,
        }


class Cloud:
    """Makes projects and users as the administrator, and takes them away again."""

    def __init__(self, clean_up):
        """`clean_up(function, *arguments)` is told what to call at the end: `addCleanup`, `ExitStack.callback`."""
        self.admin = administrator()
        token, told = self.admin.token()
        self.admin.user_id = told["user"]["id"]
        self.admin.project_id = told["project"]["id"]
        self._headers = {"X-Auth-Token": token}
        self._domain_id = told["project"]["domain"]["id"]
        self._clean_up = clean_up

    def project(self):
        """A new project: its name and its id."""
        name = "project-" + uuid.uuid4().hex
        made = self._make("/projects", "project", {"name": name, "domain_id": self._domain_id})
        return name, made["id"]

    def account(self, *roles, project=None):
        """A new user who has `roles` in `project` (name and id), or in a project of its own."""
        project_name, project_id = project or self.project()
        name, password = "user-" + uuid.uuid4().hex, uuid.uuid4().hex
        wanted = {"name": name, "password": password, "domain_id": self._domain_id}
        user = self._make("/users", "user", wanted)
        for role in roles:
            self._call("PUT", f"/projects/{project_id}/users/{user['id']}/roles/{self._role(role)}")
        return Account(name, password, user["id"], project_name, project_id)

    def _role(self, name):
        found = self._call("GET", "/roles", params={"name": name}).json()["roles"]
        if found:
            return found[0]["id"]
        return self._call("POST", "/roles", json={"role": {"name": name}}).json()["role"]["id"]

    def _make(self, path, kind, wanted):
        made = self._call("POST", path, json={kind: wanted}).json()[kind]
        self._clean_up(self._call, "DELETE", f"{path}/{made['id']}")
        return made

    def _call(self, method, path, **body):
        answer = requests.request(
            method, auth_url() + path, headers=self._headers, timeout=TIMEOUT_S, **body
        )
        answer.raise_for_status()
        return answer
