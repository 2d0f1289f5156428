"""Swift's `kms_keymaster`: the proxy reads its root secrets when it starts, and does not start without them."""

import base64
import contextlib
import hashlib
import hmac
import pathlib
import tempfile
import unittest
import uuid

from castellan import key_manager
from castellan.common.credentials import keystone_password
from castellan.common.objects import opaque_data
from castellan.common.objects import passphrase
from castellan.common.objects import symmetric_key
from castellan import options
from oslo_config import cfg
from swift.common.middleware.crypto import kms_keymaster
from swift.common.middleware.crypto.crypto_utils import CRYPTO_KEY_CALLBACK
from swift.common.swob import Request
from swift.common.swob import Response

import cloud


class Module:
    """What all tests share; making it takes most of their time."""

    end = contextlib.ExitStack()

    @classmethod
    def set_up(cls):
        cls.cloud = cloud.Cloud(cls.end.callback)
        cls.account = cls.cloud.account("member", "creator")
        conf = cfg.ConfigOpts()
        options.set_defaults(conf, api_class="barbican", auth_endpoint=cloud.auth_url())
        conf.set_override("barbican_region_name", cloud.REGION, "barbican")
        cls.keys = key_manager.API(conf)
        cls.context = keystone_password.KeystonePassword(**cls.account.password_options())


def setUpModule():
    Module.set_up()


def tearDownModule():
    Module.end.close()


class KeyMaster(unittest.TestCase):
    def store(self, thing):
        key_id = Module.keys.store(Module.context, thing)
        self.addCleanup(Module.keys.delete, Module.context, key_id)
        return key_id

    def key(self, payload=bytes(range(32)), algorithm="aes", bits=None):
        return self.store(symmetric_key.SymmetricKey(algorithm, bits or len(payload) * 8, payload))

    def settings(self, account=None, **more):
        account = account or Module.account
        told = account.password_options()
        endpoint = told.pop("auth_url")
        return {
            **told,
            "auth_endpoint": endpoint,
            "api_class": "barbican",
            "barbican_region_name": cloud.REGION,
            **more,
        }

    def start(self, account=None, app=None, **more):
        settings = self.settings(account, **more)
        return kms_keymaster.filter_factory({}, **settings)(app or Response())

    def test_root_secret(self):
        started = self.start(key_id=self.key())
        self.assertEqual(started.root_secret, bytes(range(32)))

    def test_root_secret_that_the_key_manager_made(self):
        """`openstack secret order create --algorithm aes --bit-length 256`, as Swift's documents say."""
        key_id = Module.keys.create_key(Module.context, "aes", 256)
        self.addCleanup(Module.keys.delete, Module.context, key_id)
        self.assertEqual(len(self.start(key_id=key_id).root_secret), 32)

    def test_longer_key(self):
        started = self.start(key_id=self.key(bytes(range(64)), "AES"))
        self.assertEqual(started.root_secret, bytes(range(64)))

    def test_several_root_secrets(self):
        old, new = self.key(b"o" * 32), self.key(b"n" * 32)
        started = self.start(key_id=old, key_id_2026=new, active_root_secret_id="2026")
        self.assertEqual(started.root_secret_ids, [None, "2026"])
        self.assertEqual(started.root_secret, b"n" * 32)

    def test_settings_in_a_file_of_their_own(self):
        settings = self.settings(key_id=self.key())
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        with tempfile.TemporaryDirectory(prefix="conformance-swift-") as folder:
            file = pathlib.Path(folder) / "keymaster.conf"
            file.write_text("[kms_keymaster]\n" + lines)
            started = kms_keymaster.filter_factory({}, keymaster_config_path=str(file))(Response())
        self.assertEqual(started.root_secret, bytes(range(32)))

    def test_keys_of_objects(self):
        """A request finds the keys of its object, made from the root secret as Swift has always made them."""
        found = {}

        def app(environ, start_response):
            found.update(environ[CRYPTO_KEY_CALLBACK](None))
            return Response()(environ, start_response)

        started = self.start(app=app, key_id=self.key())
        answer = Request.blank("/v1/a/c/o", method="PUT").get_response(started)
        self.assertEqual(answer.status_int, 200)
        expected = hmac.new(bytes(range(32)), b"/a/c/o", digestmod=hashlib.sha256).digest()
        self.assertEqual(found["object"], expected)

    def test_refused_keys(self):
        refused = {
            "too short": self.key(bytes(16)),
            "another algorithm": self.key(bytes(32), "3des"),
            "no key": self.store(passphrase.Passphrase(base64.b64encode(bytes(32)).decode())),
            "opaque": self.store(opaque_data.OpaqueData(bytes(32))),
        }
        for why, key_id in refused.items():
            with self.subTest(why), self.assertRaisesRegex(ValueError, "is not a symmetric key"):
                self.start(key_id=key_id)

    def test_not_there(self):
        with self.assertRaisesRegex(Exception, "not found"):
            self.start(key_id=str(uuid.uuid4()))

    def test_of_another_project(self):
        stranger = Module.cloud.account("member", "creator")
        with self.assertRaisesRegex(Exception, "Forbidden"):
            self.start(stranger, key_id=self.key())

    def test_of_another_project_that_lets_it_in(self):
        """A proxy with a user of its own, whom an ACL lets read the key of an operator."""
        proxy = Module.cloud.account("service")
        key_id = self.key()
        client = Module.keys._get_barbican_client(Module.context)
        reference = f"{client.client.get_endpoint().rstrip('/')}/v1/secrets/{key_id}"
        client.acls.create(reference, users=[proxy.user_id], project_access=False).submit()
        self.assertEqual(self.start(proxy, key_id=key_id).root_secret, bytes(range(32)))
