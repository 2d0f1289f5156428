"""Cinder's own classes, as the volume service calls them: the keys of encrypted volumes from creation to deletion.

Cinder, castellan, os-brick and cursive are the released ones; the volumes lie in a SQLite file.
"""

import base64
import binascii
import unittest
import uuid

from castellan import key_manager
from castellan.common import exception as castellan_exception
from castellan.common.objects import symmetric_key
from castellan.common.objects import x_509
from cinder import context as cinder_context
from cinder import coordination
from cinder import exception as cinder_exception
from cinder import objects
from cinder.db import api as db
from cinder.db import migration as db_migration
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cursive import exception as cursive_exception
from cursive import signature_utils
from keystoneauth1 import loading
from os_brick.encryptors import luks
from oslo_config import cfg

import certificates
import service

# Other modules of Cinder expect this, as its programs do it first.
objects.register_all()

from cinder.keymgr import conf_key_mgr  # noqa: E402, F401
from cinder.keymgr import migration  # noqa: E402
from cinder.keymgr import transfer  # noqa: E402
from cinder.volume import volume_utils  # noqa: E402
from cinder.volume.flows.api import create_volume as api_flow  # noqa: E402
from cinder.volume.flows.manager import create_volume as manager_flow  # noqa: E402

CONF = cfg.CONF
FIXED_KEY_ID = "00000000-0000-0000-0000-000000000000"
FIXED_KEY = "0123456789abcdef" * 4


def context_of(account):
    """What Cinder's API makes of a request by this user."""
    token, told = account.token()
    return cinder_context.RequestContext(
        user_id=account.user_id,
        project_id=account.project_id,
        project_name=account.project_name,
        auth_token=token,
        service_catalog=service.catalog(told),
        roles=[role["name"] for role in told["roles"]],
        is_admin=False,
    )


CONFIGURATION = """
[DEFAULT]
state_path = {folder}
[oslo_concurrency]
lock_path = {folder}
[coordination]
backend_url = file://{folder}
[database]
connection = sqlite:///{folder}/cinder.db
[key_manager]
backend = barbican
[barbican]
auth_endpoint = {auth_url}
barbican_region_name = {region}
[keystone_authtoken]
{authentication}
"""


class Module(service.Module):
    name = "cinder"
    roles = ("admin", "service")
    settings = CONFIGURATION

    @classmethod
    def set_up(cls):
        super().set_up()
        cls.stranger = cls.cloud.account("member", "creator")
        CONF(["--config-file", str(cls.file)], project="cinder")
        loading.register_auth_conf_options(CONF, "keystone_authtoken")
        loading.load_auth_from_conf_options(CONF, "keystone_authtoken")
        coordination.COORDINATOR.start()
        cls.end.callback(coordination.COORDINATOR.stop)
        db_migration.db_sync()
        cls.keys = key_manager.API(CONF)


setUpModule, tearDownModule = Module.set_up, Module.tear_down


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service, cls.owner, cls.keys = Module.service, Module.owner, Module.keys
        cls.context = context_of(cls.owner)
        cls.stranger = context_of(Module.stranger)
        cls.admin_context = cinder_context.get_admin_context()

    def encrypted_type(self, cipher="aes-xts-plain64", bits=256):
        """A volume type whose volumes are encrypted."""
        values = {"name": "luks " + uuid.uuid4().hex, "extra_specs": {}}
        made = db.volume_type_create(self.admin_context, values)
        values = {
            "cipher": cipher,
            "key_size": bits,
            "provider": "luks",
            "control_location": "front-end",
        }
        db.volume_type_encryption_create(self.admin_context, made["id"], values)
        return made["id"]

    def volume(self, key_id, snapshots=0, owner=None):
        owner = owner or self.owner
        volume = objects.Volume(
            self.admin_context,
            user_id=owner.user_id,
            project_id=owner.project_id,
            encryption_key_id=key_id,
            volume_type_id=self.encrypted_type(),
            size=1,
            status="available",
            host="host@backend#pool",
        )
        volume.create()
        for _ in range(snapshots):
            objects.Snapshot(
                self.admin_context,
                volume_id=volume.id,
                user_id=owner.user_id,
                project_id=owner.project_id,
                encryption_key_id=key_id,
                volume_size=1,
                status="available",
            ).create()
        return volume

    def create(self, context=None, **how):
        context = context or self.context
        key_id = volume_utils.create_encryption_key(
            context, self.keys, self.encrypted_type(**how)
        )
        self.addCleanup(volume_utils.delete_encryption_key, context, self.keys, key_id)
        return key_id

    def assertGone(self, key_id, context=None):
        with self.assertRaises(castellan_exception.ManagedObjectNotFoundError):
            self.keys.get(context or self.context, key_id)

    def assertRefused(self, context, key_id):
        with self.assertRaisesRegex(castellan_exception.KeyManagerError, "Forbidden"):
            self.keys.get(context, key_id)


class Create(Case):
    def test_key_of_a_volume_type(self):
        for cipher, bits in (("aes-xts-plain64", 256), ("aes-cbc-essiv", 192), ("aes-cbc", 128)):
            with self.subTest(cipher=cipher, bits=bits):
                key = self.keys.get(self.context, self.create(cipher=cipher, bits=bits))
                self.assertIsInstance(key, symmetric_key.SymmetricKey)
                self.assertEqual(key.algorithm, "aes")
                self.assertEqual(key.bit_length, bits)
                self.assertEqual(key.format, "RAW")
                self.assertEqual(len(key.get_encoded()), bits // 8)

    def test_longer_than_keys_of_that_kind(self):
        """Two keys of 256 bits for XTS: no Barbican makes that in one piece."""
        with self.assertRaisesRegex(cinder_exception.Invalid, "Key manager error"):
            self.create(bits=512)

    def test_nothing_but_the_key_stays(self):
        """The order through which castellan makes a key is deleted; the key is not."""
        client = self.keys._get_barbican_client(self.context)
        before = client.orders.total()
        key_id = self.create()
        self.assertEqual(client.orders.total(), before)
        self.assertEqual(len(self.keys.get(self.context, key_id).get_encoded()), 32)

    def test_by_a_reader(self):
        context = context_of(Module.cloud.account("reader"))
        with self.assertRaisesRegex(cinder_exception.Invalid, "Key manager error"):
            volume_utils.create_encryption_key(context, self.keys, self.encrypted_type())


class Flow(Case):
    """`cinder.volume.flows.api.create_volume`, which decides what key a new volume gets."""

    def key_of_new(self, volume_type=None, snapshot=None, source=None, image=None):
        task = api_flow.ExtractVolumeRequestTask(None, None)
        key_id = task._get_encryption_key_id(
            self.keys, self.context, volume_type or self.encrypted_type(), snapshot, source, image
        )
        self.addCleanup(volume_utils.delete_encryption_key, self.context, self.keys, key_id)
        return key_id

    def assertSameKey(self, one, other):
        self.assertNotEqual(one, other)
        one, other = self.keys.get(self.context, one), self.keys.get(self.context, other)
        self.assertEqual(one.get_encoded(), other.get_encoded())
        self.assertEqual((one.algorithm, one.bit_length), (other.algorithm, other.bit_length))

    def test_new(self):
        one, other = self.key_of_new(), self.key_of_new()
        self.assertNotEqual(
            self.keys.get(self.context, one).get_encoded(),
            self.keys.get(self.context, other).get_encoded(),
        )

    def test_clone_of_a_volume(self):
        key_id = self.create()
        self.assertSameKey(key_id, self.key_of_new(source=self.volume(key_id)))

    def test_from_a_snapshot(self):
        key_id = self.create(bits=128)
        self.assertSameKey(key_id, self.key_of_new(snapshot={"encryption_key_id": key_id}))

    def test_from_an_image(self):
        key_id = self.create()
        self.assertSameKey(key_id, self.key_of_new(image={"cinder_encryption_key_id": key_id}))

    def test_clone_outlives_its_source(self):
        key_id = self.create()
        expected = self.keys.get(self.context, key_id).get_encoded()
        clone = self.key_of_new(source=self.volume(key_id))
        volume_utils.delete_encryption_key(self.context, self.keys, key_id)
        self.assertGone(key_id)
        self.assertEqual(self.keys.get(self.context, clone).get_encoded(), expected)

    def test_clone_of_what_is_gone(self):
        with self.assertRaises(castellan_exception.ManagedObjectNotFoundError):
            self.key_of_new(source=self.volume(str(uuid.uuid4())))

    def test_new_passphrase_of_a_clone(self):
        """The volume manager gives a clone a key of its own, in the form in which LUKS takes it."""
        key_id = self.create()
        task = manager_flow.CreateVolumeFromSpecTask
        old, new, new_id = task._setup_encryption_keys(
            self.context, self.volume(key_id), {"encryption_key_id": key_id}
        )
        self.addCleanup(volume_utils.delete_encryption_key, self.context, self.keys, new_id)
        key = self.keys.get(self.context, key_id).get_encoded()
        self.assertEqual(old, binascii.hexlify(key).decode())
        self.assertEqual(len(new), 64)
        self.assertNotEqual(old, new)

    def test_passphrase_of_an_attached_volume(self):
        """os-brick on the compute host reads the key with the token of the user."""
        key_id = self.create()
        connection = {"data": {"device_path": "/dev/null"}, "driver_volume_type": "iscsi"}
        encryptor = luks.Luks2Encryptor(
            root_helper=None,
            connection_info=connection,
            keymgr=self.keys,
            encryption_key_id=key_id,
            execute=None,
        )
        key = self.keys.get(self.context, key_id).get_encoded()
        passphrase = encryptor._get_encryption_key_as_passphrase(self.context)
        self.assertEqual(passphrase, binascii.hexlify(key).decode())


class Delete(Case):
    def test_by_the_owner(self):
        key_id = self.create()
        volume_utils.delete_encryption_key(self.context, self.keys, key_id)
        self.assertGone(key_id)

    def test_of_what_is_gone(self):
        volume_utils.delete_encryption_key(self.context, self.keys, str(uuid.uuid4()))

    def test_by_an_operator(self):
        """Who deletes another's volume may not delete its key; Cinder's service user, an administrator, may."""
        key_id = self.create()
        self.assertRefused(self.stranger, key_id)
        volume_utils.delete_encryption_key(self.stranger, self.keys, key_id)
        self.assertGone(key_id)

    def test_by_the_service_user_after_its_own_project_made_it(self):
        """A key that was transferred to the service is deleted by whoever deletes the volume."""
        key_id = self.create(context_of(self.service))
        self.assertRefused(self.context, key_id)
        volume_utils.delete_encryption_key(self.context, self.keys, key_id)
        self.assertGone(key_id, context_of(self.service))


class Transfer(Case):
    """`cinder.keymgr.transfer`: the key goes to the service user, and on to who accepts the volume."""

    def key_of(self, volume):
        volume.refresh()
        snapshots = objects.SnapshotList.get_all_for_volume(self.admin_context, volume.id)
        for snapshot in snapshots:
            self.assertEqual(snapshot.encryption_key_id, volume.encryption_key_id)
        return volume.encryption_key_id

    def setUp(self):
        self.key_id = self.create()
        self.key = self.keys.get(self.context, self.key_id)
        self.volume = self.volume(self.key_id, snapshots=2)

    def assertHas(self, context, key_id):
        key = self.keys.get(context, key_id)
        self.assertEqual(key.get_encoded(), self.key.get_encoded())
        self.assertEqual((key.algorithm, key.bit_length), ("aes", 256))

    def test_accepted(self):
        transfer.transfer_create(self.context, self.volume, CONF)
        offered = self.key_of(self.volume)
        self.assertNotEqual(offered, self.key_id)
        self.assertGone(self.key_id)
        self.assertRefused(self.context, offered)
        recipient = self.stranger
        transfer.transfer_accept(recipient, self.volume, CONF)
        accepted = self.key_of(self.volume)
        self.assertHas(recipient, accepted)
        self.assertRefused(self.context, accepted)
        self.assertGone(offered, context_of(self.service))

    def test_cancelled(self):
        transfer.transfer_create(self.context, self.volume, CONF)
        offered = self.key_of(self.volume)
        transfer.transfer_delete(self.context, self.volume, CONF)
        returned = self.key_of(self.volume)
        self.assertHas(self.context, returned)
        self.assertGone(offered, context_of(self.service))


class Migrate(Case):
    """`cinder.keymgr.migration`: volumes with the fixed key of the configuration get keys of their own."""

    def setUp(self):
        CONF.set_override("fixed_key", FIXED_KEY, "key_manager")
        self.addCleanup(CONF.clear_override, "fixed_key", "key_manager")

    def backup(self):
        backup = objects.Backup(
            self.admin_context,
            user_id=self.owner.user_id,
            project_id=self.owner.project_id,
            encryption_key_id=FIXED_KEY_ID,
            volume_id=str(uuid.uuid4()),
            status="available",
        )
        backup.create()
        return backup

    def test_volumes_and_backups(self):
        volumes = [self.volume(FIXED_KEY_ID, snapshots=1), self.volume(FIXED_KEY_ID)]
        backup = self.backup()
        migration.migrate_fixed_key(volumes=volumes, backups=[backup], conf=CONF)
        ids = []
        for item in (*volumes, backup):
            item.refresh()
            ids.append(item.encryption_key_id)
            self.assertNotEqual(item.encryption_key_id, FIXED_KEY_ID)
            # The owner of the volume reads a secret of the service's project: its ACL says so.
            key = self.keys.get(self.context, item.encryption_key_id)
            self.assertEqual(key.get_encoded(), bytes.fromhex(FIXED_KEY))
            self.assertEqual((key.algorithm.lower(), key.bit_length), ("aes", 256))
            self.assertRefused(self.stranger, item.encryption_key_id)
        self.assertEqual(len(set(ids)), 3)
        for snapshot in objects.SnapshotList.get_all_for_volume(self.admin_context, volumes[0].id):
            self.assertEqual(snapshot.encryption_key_id, volumes[0].encryption_key_id)
        # Deleted as any other key: the owner may not, the service user may.
        volume_utils.delete_encryption_key(self.context, self.keys, ids[0])
        self.assertGone(ids[0], context_of(self.service))

    def test_other_keys_stay(self):
        key_id = self.create()
        volume = self.volume(key_id)
        migration.migrate_fixed_key(volumes=[volume], conf=CONF)
        volume.refresh()
        self.assertEqual(volume.encryption_key_id, key_id)


class ImageSignature(Case):
    """cursive, with which Glance, Nova and Cinder verify images: a certificate is read by its id."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.private, cls.certificate = certificates.issue("images")

    def store(self):
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        key_id = self.keys.store(self.context, x_509.X509(der))
        self.addCleanup(self.keys.delete, self.context, key_id)
        return key_id

    def verifier(self, key_id, signature, context=None):
        return signature_utils.get_verifier(
            context or self.context,
            img_signature_certificate_uuid=key_id,
            img_signature_hash_method="SHA-256",
            img_signature=base64.b64encode(signature).decode(),
            img_signature_key_type="RSA-PSS",
        )

    def signature(self, image):
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.MAX_LENGTH)
        return self.private.sign(image, pss, hashes.SHA256())

    def test_signed(self):
        verifier = self.verifier(self.store(), self.signature(b"an image"))
        verifier.update(b"an image")
        verifier.verify()

    def test_certificate_comes_back(self):
        found = signature_utils.get_certificate(self.context, self.store())
        self.assertEqual(found, self.certificate)

    def test_of_nobody(self):
        with self.assertRaisesRegex(
            cursive_exception.SignatureVerificationError, "Certificate not found with ID"
        ):
            self.verifier(str(uuid.uuid4()), b"")

    def test_of_another_project(self):
        key_id = self.store()
        with self.assertRaisesRegex(
            cursive_exception.SignatureVerificationError, "Unable to retrieve certificate"
        ):
            self.verifier(key_id, b"", self.stranger)
