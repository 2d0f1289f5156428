"""Manila's way to hand the key of a share to a storage array: an ACL, and an application credential for two paths."""

import unittest
import uuid

import requests
from barbicanclient import client as barbican_client
from keystoneauth1 import session
from keystoneauth1.identity import v3
from manila import exception
from manila.keymgr import barbican
from oslo_config import cfg
from oslo_context import context as oslo_context

import cloud
import service

CONF = cfg.CONF
CONFIGURATION = """
[key_manager]
backend = barbican
[barbican]
auth_endpoint = {auth_url}
barbican_region_name = {region}
region_name = {region}
endpoint_type = public
{authentication}
"""
TIMEOUT_S = 60


class Module(service.Module):
    name = "manila"
    settings = CONFIGURATION

    @classmethod
    def set_up(cls):
        super().set_up()
        CONF(["--config-file", str(cls.file)], project="manila")
        cls.session = session.Session(v3.Password(**cls.owner.password_options()))
        cls.user = barbican_client.Client(session=cls.session, region_name=cloud.REGION)


setUpModule, tearDownModule = Module.set_up, Module.tear_down


class Share(unittest.TestCase):
    def setUp(self):
        token, _ = Module.owner.token()
        self.context = oslo_context.RequestContext(
            auth_token=token,
            user_id=Module.owner.user_id,
            project_id=Module.owner.project_id,
        )
        self.reference, self.key_id = self.store()

    def store(self):
        secret = Module.user.secrets.create(
            name="key of a share", payload=bytes(range(32)), secret_type="symmetric",
            algorithm="aes", bit_length=256,
        )
        reference = secret.store()
        self.addCleanup(Module.user.secrets.delete, reference)
        return reference, reference.rsplit("/", 1)[1]

    def let_in(self):
        barbican.create_secret_access(self.context, self.key_id)

    def credential(self):
        made = barbican.create_application_credentials(self.context, self.key_id)
        self.addCleanup(barbican.delete_application_credentials, self.context, made.id)
        return made

    def token_of(self, credential):
        """As the storage array logs in, which has nothing but the credential."""
        method = {"id": credential.id, "secret": self.key_id}
        body = {
            "auth": {
                "identity": {
                    "methods": ["application_credential"],
                    "application_credential": method,
                }
            }
        }
        answer = requests.post(cloud.auth_url() + "/auth/tokens", json=body, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.headers["X-Subject-Token"]

    def call(self, token, reference, method="GET"):
        headers = {"X-Auth-Token": token}
        if reference.endswith("/payload"):
            headers["Accept"] = "application/octet-stream"
        return requests.request(method, reference, headers=headers, timeout=TIMEOUT_S)

    def test_access_list(self):
        self.let_in()
        acl = Module.user.acls.get(self.reference)
        self.assertEqual(acl.read.users, [Module.service.user_id])
        self.assertFalse(acl.read.project_access)
        barbican.delete_secret_access(self.context, self.key_id)
        acl = Module.user.acls.get(self.reference)
        self.assertEqual(acl.read.users, [])

    def test_reference(self):
        self.assertEqual(barbican.get_secret_href(self.context, self.key_id), self.reference)

    def test_reference_of_nothing(self):
        with self.assertRaises(exception.ManilaBarbicanACLError):
            barbican.get_secret_href(self.context, str(uuid.uuid4()))

    def test_credential_reaches_the_key(self):
        self.let_in()
        token = self.token_of(self.credential())
        answer = self.call(token, self.reference)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["name"], "key of a share")
        answer = self.call(token, self.reference + "/payload")
        self.assertEqual((answer.status_code, answer.content), (200, bytes(range(32))))

    def test_credential_reaches_nothing_else(self):
        self.let_in()
        other, other_id = self.store()
        barbican.create_secret_access(self.context, other_id)
        token = self.token_of(self.credential())
        collection = self.reference.rsplit("/", 1)[0]
        for method, reference in (
            ("GET", other),
            ("GET", other + "/payload"),
            ("GET", collection),
            ("POST", collection),
            ("DELETE", self.reference),
            ("PUT", self.reference),
            ("GET", self.reference + "/acl"),
            ("GET", self.reference + "/metadata"),
            ("GET", self.reference + "/payload/"),
        ):
            with self.subTest(method=method, reference=reference):
                self.assertEqual(self.call(token, reference, method).status_code, 401)
        self.assertEqual(Module.user.secrets.get(self.reference).payload, bytes(range(32)))

    def test_credential_without_an_access_list(self):
        token = self.token_of(self.credential())
        self.assertEqual(self.call(token, self.reference + "/payload").status_code, 403)

    def test_credential_after_the_share(self):
        """A key is out of reach when the share is deleted, though the token of the array is still good."""
        self.let_in()
        token = self.token_of(self.credential())
        self.assertEqual(self.call(token, self.reference + "/payload").status_code, 200)
        barbican.delete_secret_access(self.context, self.key_id)
        self.assertEqual(self.call(token, self.reference + "/payload").status_code, 403)
