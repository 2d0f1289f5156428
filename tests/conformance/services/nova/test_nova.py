"""Nova's secrets of emulated TPMs and of encrypted disks, as the compute service keeps them (`nova.crypto`)."""

import base64
import contextlib
import pathlib
import tempfile
import unittest
import uuid

from castellan.common import exception as castellan_exception
from nova import conf as nova_conf
from nova import context as nova_context
from nova import crypto
from nova import exception

import cloud

CONF = nova_conf.CONF
CONFIGURATION = """
[DEFAULT]
state_path = {folder}
[key_manager]
backend = barbican
[barbican]
auth_endpoint = {auth_url}
barbican_region_name = {region}
send_service_user_token = true
[barbican_service_user]
auth_type = password
auth_url = {auth_url}
username = {username}
password = {password}
user_domain_name = {user_domain_name}
project_name = {project_name}
project_domain_name = {project_domain_name}
"""


class Instance:
    """The part of an instance that `nova.crypto` sees."""

    def __init__(self):
        self.uuid = str(uuid.uuid4())
        self.system_metadata = {}
        self.saved = 0

    def __getitem__(self, name):
        return getattr(self, name)

    def save(self):
        self.saved += 1


class Module:
    """What all tests share; making it takes most of their time."""

    end = contextlib.ExitStack()

    @classmethod
    def set_up(cls):
        folder = cls.end.enter_context(tempfile.TemporaryDirectory(prefix="conformance-nova-"))
        cls.cloud = cloud.Cloud(cls.end.callback)
        cls.service = cls.cloud.account("service")
        cls.owner = cls.cloud.account("member", "creator")
        cls.stranger = cls.cloud.account("member", "creator")
        file = pathlib.Path(folder) / "nova.conf"
        options = cls.service.password_options()
        file.write_text(CONFIGURATION.format(folder=folder, region=cloud.REGION, **options))
        CONF(["--config-file", str(file)], project="nova")


def setUpModule():
    Module.set_up()


def tearDownModule():
    Module.end.close()


def context_of(account):
    token, told = account.token()
    services = []
    for service in told["catalog"]:
        endpoints = {}
        for endpoint in service["endpoints"]:
            at = endpoints.setdefault(endpoint["region_id"], {"region": endpoint["region_id"]})
            at[endpoint["interface"] + "URL"] = endpoint["url"]
        services.append({**service, "endpoints": list(endpoints.values())})
    return nova_context.RequestContext(
        user_id=account.user_id,
        project_id=account.project_id,
        auth_token=token,
        service_catalog=services,
        is_admin=False,
    )


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.context = context_of(Module.owner)
        cls.stranger = context_of(Module.stranger)

    def setUp(self):
        self.instance = Instance()


class Tpm(Case):
    def ensure(self):
        made = crypto.ensure_vtpm_secret(self.context, self.instance)
        self.addCleanup(crypto.delete_vtpm_secret, self.context, self.instance)
        return made

    def test_made_and_found_again(self):
        secret_id, passphrase = self.ensure()
        self.assertEqual(len(base64.b64decode(passphrase)), 384)
        self.assertEqual(self.instance.system_metadata, {"vtpm_secret_uuid": secret_id})
        # As at the next start of the instance.
        found_id, found = crypto.ensure_vtpm_secret(self.context, self.instance)
        self.assertEqual(found_id, secret_id)
        self.assertEqual(found.encode() if isinstance(found, str) else found, passphrase)

    def test_name_tells_the_instance(self):
        secret_id, _ = self.ensure()
        secret = crypto._get_key_manager().get(self.context, secret_id, metadata_only=True)
        self.assertEqual(secret.name, f"vTPM secret for instance {self.instance.uuid}")

    def test_started_by_somebody_else(self):
        """An administrator of another project may not read it; Nova knows by the word `Forbidden`."""
        self.ensure()
        with self.assertRaises(exception.VTPMSecretForbidden):
            crypto.ensure_vtpm_secret(self.stranger, self.instance)

    def test_deleted(self):
        secret_id, _ = self.ensure()
        crypto.delete_vtpm_secret(self.context, self.instance)
        self.assertEqual(self.instance.system_metadata, {})
        self.instance.system_metadata["vtpm_secret_uuid"] = secret_id
        with self.assertRaises(castellan_exception.ManagedObjectNotFoundError):
            crypto.ensure_vtpm_secret(self.context, self.instance)
        crypto.delete_vtpm_secret(self.context, self.instance)
        self.assertEqual(self.instance.system_metadata, {})


class Disk(Case):
    def create(self):
        disk = {"uuid": str(uuid.uuid4())}
        secret_id, secret = crypto.create_encryption_secret(self.context, self.instance, disk)
        self.addCleanup(
            crypto.delete_encryption_secret, self.context, self.instance.uuid, secret_id
        )
        return secret_id, secret

    def test_made_and_found_again(self):
        secret_id, secret = self.create()
        found = crypto.get_encryption_secret(self.context, secret_id)
        self.assertEqual(found.decode() if isinstance(found, bytes) else found, secret)

    def test_deleted(self):
        secret_id, _ = self.create()
        crypto.delete_encryption_secret(self.context, self.instance.uuid, secret_id)
        self.assertIsNone(crypto.get_encryption_secret(self.context, secret_id))
        crypto.delete_encryption_secret(self.context, self.instance.uuid, secret_id)
