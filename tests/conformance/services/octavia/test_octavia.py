"""Octavia's certificate managers, as its API and its workers call them.

The user stores a certificate and asks for a listener; Octavia's API lets its service user in (`set_acls`) and checks;
its workers read with the service user alone.
"""

import unittest
import uuid

from barbicanclient import exceptions as client_exceptions
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from octavia.certificates.common.auth import barbican_acl
from octavia.certificates.manager import barbican
from octavia.certificates.manager import barbican_legacy
from octavia.common import config
from octavia.common import exceptions
from octavia.common.tls_utils import cert_parser
from oslo_config import cfg
from oslo_context import context as oslo_context

import service
from certificates import issue

LISTENER = "http://octavia.example.org/v2.0/lbaas/listeners/"
CONFIGURATION = """
[certificates]
cert_manager = barbican_cert_manager
barbican_auth = barbican_acl_auth
region_name = {region}
endpoint_type = public
[service_auth]
{authentication}
"""


def pem(thing, passphrase=None):
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM)
    encryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return thing.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, encryption
    )


class Module(service.Module):
    name = "octavia"
    roles = ("admin", "service")
    settings = CONFIGURATION

    @classmethod
    def set_up(cls):
        super().set_up()
        config.register_cli_opts()
        cfg.CONF(["--config-file", str(cls.file)], project="octavia")
        cls.authority = issue("authority", authority=True)
        cls.middle = issue("intermediate", cls.authority, authority=True)
        cls.site = issue("www.example.org", cls.middle)


setUpModule, tearDownModule = Module.set_up, Module.tear_down


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        token, _ = Module.owner.token()
        cls.context = oslo_context.RequestContext(
            auth_token=token, user_id=Module.owner.user_id, project_id=Module.owner.project_id
        )
        # The client that Octavia itself uses with the token of the user.
        cls.user = barbican_acl.BarbicanACLAuth.get_barbican_client_user_auth(cls.context)
        cls.key, cls.certificate = Module.site
        cls.manager = barbican.BarbicanCertManager()

    def store(self, payload, **attributes):
        """As the user does it with `openstack secret store`."""
        secret = self.user.secrets.create(payload=payload, **attributes)
        reference = secret.store()
        self.addCleanup(self.user.secrets.delete, reference)
        return reference

    def bundle(self, **attributes):
        payload = pkcs12.serialize_key_and_certificates(
            name=b"bundle",
            key=self.key,
            cert=self.certificate,
            cas=[Module.middle[1]],
            encryption_algorithm=serialization.NoEncryption(),
        )
        return self.store(payload, **attributes)

    def users_of(self, reference):
        return self.user.acls.get(reference).read.users

    def assertIsBundle(self, found):
        self.assertEqual(found.get_certificate(), pem(self.certificate).strip())
        self.assertEqual(found.get_private_key(), pem(self.key).strip())
        self.assertEqual(found.get_intermediates(), [pem(Module.middle[1]).strip()])


class Bundle(Case):
    """One secret with a PKCS#12 bundle, the way of today."""

    def test_not_let_in(self):
        with self.assertRaises(Exception) as raised:
            self.manager.get_cert(self.context, self.bundle(), check_only=True)
        self.assertIsInstance(raised.exception, client_exceptions.HTTPClientError)

    def test_let_in_and_out_again(self):
        reference = self.bundle(name="for octavia")
        self.assertEqual(self.users_of(reference), [])
        self.manager.set_acls(self.context, reference)
        self.assertEqual(self.users_of(reference), [Module.service.user_id])
        self.assertIsBundle(self.manager.get_cert(self.context, reference, check_only=True))
        # Once more, as a second listener with the same certificate does.
        self.manager.set_acls(self.context, reference)
        self.assertEqual(self.users_of(reference), [Module.service.user_id])
        self.manager.unset_acls(self.context, reference)
        self.assertEqual(self.users_of(reference), [])
        with self.assertRaises(client_exceptions.HTTPClientError):
            self.manager.get_cert(self.context, reference, check_only=True)

    def test_let_in_beside_others(self):
        reference = self.bundle()
        acl = self.user.acls.create(reference, users=["somebody"], project_access=False)
        acl.submit()
        self.manager.set_acls(self.context, reference)
        self.assertEqual(sorted(self.users_of(reference)), sorted(["somebody", Module.service.user_id]))
        self.assertIsBundle(self.manager.get_cert(self.context, reference, check_only=True))
        self.manager.unset_acls(self.context, reference)
        self.assertEqual(self.users_of(reference), ["somebody"])
        self.assertFalse(self.user.acls.get(reference).read.project_access)

    def test_registers_and_leaves(self):
        """For this kind Octavia registers nowhere; leaving asks for a container of that id, which is not there."""
        reference = self.bundle()
        self.manager.set_acls(self.context, reference)
        listener = LISTENER + str(uuid.uuid4())
        found = self.manager.get_cert(
            self.context, reference, resource_ref=listener, service_name="Octavia"
        )
        self.assertIsBundle(found)
        self.manager.delete_cert(self.context, reference, listener, service_name="Octavia")
        self.assertIsBundle(self.manager.get_cert(self.context, reference, check_only=True))

    def test_stored_by_octavia(self):
        reference = self.manager.store_cert(
            self.context, pem(self.certificate), pem(self.key), pem(Module.middle[1]), name="of octavia"
        )
        service = self.manager.auth.get_barbican_client()
        self.addCleanup(service.secrets.delete, reference)
        self.assertEqual(service.secrets.get(reference).name, "of octavia")
        self.assertIsBundle(self.manager.get_cert(self.context, reference, check_only=True))

    def test_loaded_by_a_worker(self):
        """`cert_parser.load_certificates_data`, with a second certificate for another name."""
        other_key, other = issue("api.example.org", Module.middle)
        other_bundle = pkcs12.serialize_key_and_certificates(
            b"other", other_key, other, None, serialization.NoEncryption()
        )
        default, second = self.bundle(), self.store(other_bundle)
        for reference in (default, second):
            self.manager.set_acls(self.context, reference)

        class Second:
            tls_container_id = second

        class Listener:
            id = str(uuid.uuid4())
            project_id = Module.owner.project_id
            tls_certificate_id = default
            sni_containers = [Second]

        loaded = cert_parser.load_certificates_data(self.manager, Listener, self.context)
        self.assertEqual(loaded["tls_cert"].primary_cn, "www.example.org")
        self.assertEqual([cert.primary_cn for cert in loaded["sni_certs"]], ["api.example.org"])

    def test_not_there(self):
        reference = f"{Module.owner.endpoint().rstrip('/')}/v1/secrets/{uuid.uuid4()}"
        with self.assertRaises(client_exceptions.HTTPClientError) as raised:
            self.manager.get_cert(self.context, reference, check_only=True)
        self.assertEqual(raised.exception.status_code, 404)

    def test_no_bundle_in_it(self):
        reference = self.store(b"\x00 no bundle")
        self.manager.set_acls(self.context, reference)
        with self.assertRaises(exceptions.UnreadablePKCS12):
            self.manager.get_cert(self.context, reference, check_only=True)


class Secret(Case):
    """Authorities and lists of revoked certificates, which are secrets with a PEM text."""

    def test_text(self):
        # Without the last line's end, which no key manager of this API keeps of a text.
        text = pem(Module.authority[1]).decode().strip()
        reference = self.store(text, secret_type="certificate")
        self.manager.set_acls(self.context, reference)
        self.assertEqual(self.manager.get_secret(self.context, reference), text)

    def test_bytes(self):
        reference = self.store(pem(Module.authority[1]))
        self.manager.set_acls(self.context, reference)
        found = self.manager.get_secret(self.context, reference)
        self.assertEqual(found, pem(Module.authority[1]))

    def test_not_let_in(self):
        reference = self.store("text")
        with self.assertRaises(exceptions.CertificateRetrievalException):
            self.manager.get_secret(self.context, reference)


class Legacy(Case):
    """A container of type `certificate`, the way of before, to which the manager of today falls back."""

    def container(self, passphrase=None):
        parts = {
            "certificate": pem(self.certificate).decode(),
            "private_key": pem(self.key, passphrase).decode(),
            "intermediates": pem(Module.middle[1]).decode(),
        }
        if passphrase:
            parts["private_key_passphrase"] = passphrase.decode()
        secrets = {
            part: self.user.secrets.get(self.store(payload, name=part))
            for part, payload in parts.items()
        }
        container = self.user.containers.create_certificate(name="certificate", **secrets)
        reference = container.store()
        self.addCleanup(self.user.containers.delete, reference)
        return reference, [secret.secret_ref for secret in secrets.values()]

    def let_in(self, reference):
        """What the documents of Octavia have the user do: the container itself is not in `set_acls`."""
        self.user.acls.create(reference, users=[Module.service.user_id]).submit()

    def test_let_in_and_out_again(self):
        reference, parts = self.container()
        self.let_in(reference)
        # The API asks for a secret of that id first, which is not there.
        legacy = barbican_legacy.BarbicanCertManager()
        legacy.set_acls(self.context, reference)
        for part in parts:
            self.assertEqual(self.users_of(part), [Module.service.user_id])
        self.assertIsBundle(self.manager.get_cert(self.context, reference, check_only=True))
        legacy.unset_acls(self.context, reference)
        for part in parts:
            self.assertEqual(self.users_of(part), [])

    def test_registers_and_leaves(self):
        reference, _ = self.container()
        self.let_in(reference)
        legacy = barbican_legacy.BarbicanCertManager()
        legacy.set_acls(self.context, reference)
        listener = LISTENER + str(uuid.uuid4())
        found = self.manager.get_cert(
            self.context, reference, resource_ref=listener, service_name="Octavia"
        )
        self.assertIsBundle(found)
        consumers = self.user.containers.get(reference).consumers
        self.assertEqual(consumers, [{"name": "Octavia", "URL": listener}])
        self.manager.delete_cert(self.context, reference, listener, service_name="Octavia")
        self.assertEqual(self.user.containers.get(reference).consumers, [])

    def test_key_with_a_passphrase(self):
        reference, parts = self.container(b"open sesame")
        self.assertEqual(len(parts), 4)
        self.let_in(reference)
        barbican_legacy.BarbicanCertManager().set_acls(self.context, reference)
        found = self.manager.get_cert(self.context, reference, check_only=True)
        self.assertEqual(found.get_private_key_passphrase(), b"open sesame")

    def test_stored_by_octavia(self):
        legacy = barbican_legacy.BarbicanCertManager()
        reference = legacy.store_cert(
            self.context,
            pem(self.certificate).decode(),
            pem(self.key).decode(),
            intermediates=pem(Module.middle[1]).decode(),
            name="of octavia",
        )
        service = legacy.auth.get_barbican_client()
        container = service.containers.get(reference)
        for secret in (container.certificate, container.private_key, container.intermediates):
            self.addCleanup(service.secrets.delete, secret.secret_ref)
        self.addCleanup(service.containers.delete, reference)
        self.assertEqual(container.name, "of octavia")
        self.assertIsBundle(legacy.get_cert(self.context, reference, check_only=True))
