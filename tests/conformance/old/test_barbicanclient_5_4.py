"""The client of Debian 12, python-barbicanclient 5.4: it asks for no version, and doubles slashes where it can.

With `endpoint` it goes to `ENDPOINT/v1` unseen; without, keystoneauth looks for the version at the address of the
catalog. Every test runs both ways, and with an endpoint that ends in a slash.
"""

import contextlib
import os
import re
import subprocess
import sys
import time
import unittest
import uuid

import barbicanclient
from barbicanclient import client as barbican_client
from barbicanclient import exceptions
from keystoneauth1 import session
from keystoneauth1 import token_endpoint
from keystoneauth1.identity import v3

import cloud


class Module:
    """What all tests share; making it takes most of their time."""

    end = contextlib.ExitStack()

    @classmethod
    def set_up(cls):
        cls.cloud = cloud.Cloud(cls.end.callback)
        cls.owner = cls.cloud.account("member", "creator")
        cls.stranger = cls.cloud.account("member", "creator")
        cls.endpoint = cls.owner.endpoint().rstrip("/")


def setUpModule():
    Module.set_up()


def tearDownModule():
    Module.end.close()


class Recorded(session.Session):
    """A session that remembers what went to the key manager."""

    def __init__(self, auth):
        super().__init__(auth=auth)
        self.requests = []

    def _send_request(self, url, method, *arguments, **options):
        if url.startswith(Module.endpoint):
            self.requests.append((method, url[len(Module.endpoint) :], dict(options["headers"])))
        return super()._send_request(url, method, *arguments, **options)


def connect(account, endpoint=None):
    where = {"endpoint": endpoint} if endpoint else {"region_name": cloud.REGION}
    recorded = Recorded(v3.Password(**account.password_options()))
    return recorded, barbican_client.Client(session=recorded, **where)


class Version(unittest.TestCase):
    def test_is_the_old_one(self):
        self.assertEqual(barbicanclient.__version__, "5.4.0")

    def test_asks_for_no_version_and_doubles_slashes(self):
        recorded, client = connect(Module.owner, Module.endpoint + "/")
        client.secrets.list()
        ((method, path, headers),) = recorded.requests
        self.assertEqual((method, path.partition("?")[0]), ("GET", "//v1/secrets"))
        self.assertNotIn("OpenStack-API-Version", headers)


class Common:
    """What both ways have to do."""

    @classmethod
    def where(cls):
        return None

    @classmethod
    def setUpClass(cls):
        cls.recorded, cls.client = connect(Module.owner, cls.where())
        _, cls.stranger = connect(Module.stranger, cls.where())

    def store(self, **attributes):
        reference = self.client.secrets.create(**attributes).store()
        self.addCleanup(self.client.secrets.delete, reference)
        return reference

    def test_reference(self):
        reference = self.store(name="text", payload="hello")
        begin = re.escape(Module.endpoint) + "/v1/secrets/"
        self.assertRegex(reference, f"^{begin}[0-9a-f-]{{36}}$")

    def test_text(self):
        secret = self.client.secrets.get(self.store(name="text", payload="grüße"))
        self.assertEqual(secret.payload, "grüße")
        self.assertEqual(secret.name, "text")
        self.assertEqual(secret.status, "ACTIVE")
        self.assertEqual(secret.secret_type, "opaque")
        self.assertEqual(secret.content_types, {"default": "text/plain"})
        self.assertEqual(secret.payload_content_type, "text/plain")
        self.assertIsNone(secret.expiration)
        self.assertIsNotNone(secret.created)

    def test_bytes(self):
        reference = self.store(
            payload=bytes(range(32)),
            secret_type="symmetric",
            algorithm="aes",
            bit_length=256,
            mode="cbc",
            expiration="2100-01-02T03:04:05",
        )
        secret = self.client.secrets.get(reference)
        self.assertEqual(secret.payload, bytes(range(32)))
        self.assertEqual((secret.algorithm, secret.bit_length, secret.mode), ("aes", 256, "cbc"))
        self.assertEqual(secret.expiration.isoformat(), "2100-01-02T03:04:05+00:00")

    def test_payload_in_a_second_step(self):
        reference = self.store(name="later")
        self.client.secrets.update(reference, "now")
        self.assertEqual(self.client.secrets.get(reference).payload, "now")
        with self.assertRaises(exceptions.HTTPClientError) as raised:
            self.client.secrets.update(reference, "again")
        self.assertEqual(raised.exception.status_code, 409)

    def test_list(self):
        name = uuid.uuid4().hex
        references = [self.store(name=name, payload=str(number)) for number in range(3)]
        self.assertEqual([s.secret_ref for s in self.client.secrets.list(name=name)], references)
        found = self.client.secrets.list(limit=1, offset=1, name=name)
        self.assertEqual([secret.secret_ref for secret in found], references[1:2])
        self.assertEqual(found[0].payload, "1")

    def test_delete(self):
        reference = self.client.secrets.create(payload="short-lived").store()
        self.client.secrets.delete(reference)
        with self.assertRaises(exceptions.HTTPClientError) as raised:
            self.client.secrets.get(reference).name
        self.assertEqual(raised.exception.status_code, 404)
        with self.assertRaises(exceptions.HTTPClientError):
            self.client.secrets.delete(reference)

    def test_key_order(self):
        order = self.client.orders.create_key(name="key", algorithm="aes", bit_length=256, mode="cbc")
        reference = order.submit()
        self.addCleanup(self.client.orders.delete, reference)
        order = self.client.orders.get(reference)
        self.assertEqual(order.status, "ACTIVE")
        self.addCleanup(self.client.secrets.delete, order.secret_ref)
        self.assertEqual(len(self.client.secrets.get(order.secret_ref).payload), 32)
        self.assertIn(reference, [order.order_ref for order in self.client.orders.list(limit=100)])

    def test_pair_order(self):
        order = self.client.orders.create_asymmetric(name="pair", algorithm="rsa", bit_length=2048)
        reference = order.submit()
        self.addCleanup(self.client.orders.delete, reference)
        for _ in range(240):
            order = self.client.orders.get(reference)
            if order.status != "PENDING":
                break
            time.sleep(0.25)
        self.assertEqual(order.status, "ACTIVE")
        self.addCleanup(self.client.containers.delete, order.container_ref)
        container = self.client.containers.get(order.container_ref)
        self.addCleanup(self.client.secrets.delete, container.private_key.secret_ref)
        self.addCleanup(self.client.secrets.delete, container.public_key.secret_ref)
        self.assertIn(b"BEGIN PRIVATE KEY", container.private_key.payload)
        self.assertIn(b"BEGIN PUBLIC KEY", container.public_key.payload)

    def test_container(self):
        secret = self.client.secrets.get(self.store(payload="part"))
        container = self.client.containers.create(name="box", secrets={"part": secret})
        reference = container.store()
        self.addCleanup(self.client.containers.delete, reference)
        found = self.client.containers.get(reference)
        self.assertEqual(found.name, "box")
        self.assertEqual(found.secrets["part"].payload, "part")
        registered = self.client.containers.register_consumer(reference, "who", "http://a.example")
        self.assertEqual(registered.consumers, [{"name": "who", "URL": "http://a.example"}])
        self.client.containers.remove_consumer(reference, "who", "http://a.example")
        self.assertEqual(self.client.containers.get(reference).consumers, [])
        self.assertIn(reference, [c.container_ref for c in self.client.containers.list(limit=100)])

    def test_access_list(self):
        reference = self.store(payload="shared")
        self.assertEqual(self.client.acls.get(reference).read.users, [])
        with self.assertRaises(exceptions.HTTPClientError) as raised:
            self.stranger.secrets.get(reference).payload
        self.assertEqual(raised.exception.status_code, 403)
        self.client.acls.create(reference, users=[Module.stranger.user_id]).submit()
        self.assertEqual(self.stranger.secrets.get(reference).payload, "shared")
        acl = self.client.acls.get(reference)
        self.assertEqual(acl.read.users, [Module.stranger.user_id])
        self.assertTrue(acl.read.project_access)
        acl.remove()
        self.assertEqual(self.client.acls.get(reference).read.users, [])

    def test_errors_are_told(self):
        with self.assertRaises(exceptions.HTTPClientError) as raised:
            self.client.secrets.create(payload="x", bit_length=-1).store()
        self.assertEqual(raised.exception.status_code, 400)
        self.assertIn("bit_length", str(raised.exception))

    def test_wrong_token(self):
        auth = token_endpoint.Token(Module.endpoint, "gAAAAAwrong")
        client = barbican_client.Client(
            session=session.Session(auth=auth), endpoint=self.where() or Module.endpoint
        )
        with self.assertRaises(exceptions.HTTPAuthError):
            client.secrets.list()


class Catalog(Common, unittest.TestCase):
    pass


class Endpoint(Common, unittest.TestCase):
    @classmethod
    def where(cls):
        return Module.endpoint


class EndpointWithSlash(Common, unittest.TestCase):
    @classmethod
    def where(cls):
        return Module.endpoint + "/"


class CommandLine(unittest.TestCase):
    """`barbican`, the program of that time."""

    def run_program(self, *words):
        options = Module.owner.password_options()
        environment = {name: value for name, value in os.environ.items() if name[:3] != "OS_"}
        for name, value in options.items():
            environment["OS_" + name.upper()] = value
        environment["OS_IDENTITY_API_VERSION"] = "3"
        program = "from barbicanclient.barbican import main; import sys; sys.exit(main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-s", "-c", program, *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_secret(self):
        words = ("secret", "store", "--name", "cli", "--payload", "hello", "-f", "value", "-c", "Secret href")
        reference = self.run_program(*words)
        self.assertEqual(self.run_program("secret", "get", "--payload", "-f", "value", reference), "hello")
        listed = self.run_program("secret", "list", "--name", "cli", "-f", "value", "-c", "Secret href")
        self.assertIn(reference, listed.split())
        self.assertEqual(self.run_program("secret", "delete", reference), "")
