"""Nova's secrets of emulated TPMs and of encrypted disks, as the compute service keeps them (`nova.crypto`)."""

import base64
import unittest
import uuid

from castellan.common import exception as castellan_exception
from nova import conf as nova_conf
from nova import context as nova_context
from nova import crypto
from nova import exception

import service

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
{authentication}
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


class Module(service.Module):
    name = "nova"
    settings = CONFIGURATION

    @classmethod
    def set_up(cls):
        super().set_up()
        cls.stranger = cls.cloud.account("member", "creator")
        CONF(["--config-file", str(cls.file)], project="nova")


setUpModule, tearDownModule = Module.set_up, Module.tear_down


def context_of(account):
    token, told = account.token()
    return nova_context.RequestContext(
        user_id=account.user_id,
        project_id=account.project_id,
        auth_token=token,
        service_catalog=service.catalog(told),
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
