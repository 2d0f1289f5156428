"""Every method of openstacksdk's key manager, asked as Magnum, Ansible and scripts ask."""

import base64
import unittest

import openstack
from openstack import exceptions

import cloud


def connect(account):
    return openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        region_name=cloud.REGION,
        auth=account.password_options(),
    )


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cloud = cloud.Cloud(cls.addClassCleanup)
        cls.account = cls.cloud.account("member", "creator")
        cls.conn = connect(cls.account)
        cls.addClassCleanup(cls.conn.close)
        cls.keys = cls.conn.key_manager

    def store(self, **attributes):
        """A secret as creation answers it."""
        secret = self.keys.create_secret(**attributes)
        self.addCleanup(self.keys.delete_secret, secret.secret_id)
        return secret

    def assertNotSeen(self, keys, secret):
        """The client takes the body of an error for a secret that has nothing."""
        found = keys.get_secret(secret.secret_id)
        self.assertEqual((found.secret_ref, found.status, found.payload), (None, None, None))

    def ended(self, order):
        """The order, once its key is there."""
        found = self.keys.get_order(order.order_id)
        return self.keys.wait_for_status(found, "ACTIVE", interval=0.2, wait=30)

    def text(self, name="text", payload="hello"):
        return self.store(name=name, payload=payload, payload_content_type="text/plain")


class Secrets(Case):
    def test_text_comes_back(self):
        made = self.text(payload="grüße")
        found = self.keys.get_secret(made.secret_id)
        self.assertEqual(found.payload, "grüße")
        self.assertEqual(found.name, "text")
        self.assertEqual(found.status, "ACTIVE")
        self.assertEqual(found.secret_type, "opaque")
        self.assertEqual(found.content_types, {"default": "text/plain"})
        self.assertEqual(found.secret_ref, made.secret_ref)

    def test_bytes_come_back(self):
        key = bytes(range(32))
        made = self.store(
            payload=base64.b64encode(key).decode(),
            payload_content_type="application/octet-stream",
            payload_content_encoding="base64",
            secret_type="symmetric",
            algorithm="aes",
            bit_length=256,
            mode="cbc",
            expiration="2100-01-02T03:04:05",
        )
        found = self.keys.get_secret(made.secret_id)
        self.assertEqual(found.payload, key)
        self.assertEqual((found.algorithm, found.bit_length, found.mode), ("aes", 256, "cbc"))
        self.assertEqual(found.expires_at, "2100-01-02T03:04:05")

    def test_without_payload(self):
        made = self.store(name="later")
        found = self.keys.get_secret(made.secret_id)
        self.assertIsNone(found.payload)
        self.assertIsNone(found.content_types)
        self.assertEqual(found.status, "ACTIVE")

    def test_found_by_id_in_a_list(self):
        made = self.text(name="to find")
        found = [secret for secret in self.keys.secrets() if secret.secret_id == made.secret_id]
        self.assertEqual([secret.name for secret in found], ["to find"])

    def test_find_secret(self):
        made = self.text(name="named")
        self.assertEqual(self.keys.find_secret(made.secret_id).name, "named")

    def test_filters(self):
        self.text(name="one")
        self.store(name="two", algorithm="aes", bit_length=128, mode="ctr")
        for query, names in (
            ({"name": "one"}, {"one"}),
            ({"algorithm": "aes"}, {"two"}),
            ({"mode": "ctr"}, {"two"}),
            ({"bits": 128}, {"two"}),
            ({"secret_type": "opaque"}, {"one", "two"}),
            ({"secret_type": "symmetric"}, set()),
            ({"created": "gt:2020-01-02T03:04:05"}, {"one", "two"}),
            ({"created": "lt:2020-01-02T03:04:05"}, set()),
        ):
            with self.subTest(query):
                self.assertEqual({secret.name for secret in self.keys.secrets(**query)}, names)

    def test_sort(self):
        for name in ("b", "c", "a"):
            self.text(name=name)
        self.assertEqual([s.name for s in self.keys.secrets(sort="name:asc")], ["a", "b", "c"])
        self.assertEqual([s.name for s in self.keys.secrets(sort="name:desc")], ["c", "b", "a"])

    def test_delete(self):
        made = self.keys.create_secret(name="short-lived")
        self.assertIsNone(self.keys.delete_secret(made.secret_id))
        self.assertNotSeen(self.keys, made)
        self.assertIsNone(self.keys.delete_secret(made.secret_id))
        with self.assertRaises(exceptions.NotFoundException):
            self.keys.delete_secret(made.secret_id, ignore_missing=False)

    def test_wrong_secret(self):
        with self.assertRaises(exceptions.BadRequestException) as raised:
            self.keys.create_secret(payload="without a type")
        told = raised.exception.response.json()
        self.assertIn("payload_content_type", told["description"])

    def test_update_secret(self):
        # The client sends JSON, which is not how a payload is put.
        made = self.store(name="later")
        with self.assertRaises(exceptions.HttpException) as raised:
            self.keys.update_secret(made.secret_id, payload="now")
        self.assertIn(raised.exception.status_code, (400, 415))

    def test_migrate_secret_store(self):
        # Microversion 1.3 is newer than 23.0.0; the client asks the server what it has.
        made = self.text()
        with self.assertRaises(exceptions.SDKException) as raised:
            self.keys.migrate_secret_store(made.secret_id, "a5a5a5a5-0000-4000-8000-000000000001")
        self.assertIn("at least microversion 1.3", str(raised.exception))

    def test_another_project_sees_nothing(self):
        made = self.text()
        other = connect(self.cloud.account("member", "creator"))
        self.addCleanup(other.close)
        self.assertEqual(list(other.key_manager.secrets()), [])
        self.assertNotSeen(other.key_manager, made)


class Paging(Case):
    """The client turns pages itself, and asks on with `marker` where a page was full or had no `next`."""

    def names(self, method, **query):
        return [item.name for item in method(**query)]

    def test_secrets(self):
        names = [f"secret {number}" for number in range(7)]
        for name in names:
            self.text(name=name)
        self.assertEqual(self.names(self.keys.secrets, limit=3), names)

    def test_secrets_of_one_page(self):
        names = ["one", "two", "three"]
        for name in names:
            self.text(name=name)
        self.assertEqual(self.names(self.keys.secrets, limit=5), names)

    def test_secrets_of_just_full_pages(self):
        names = ["one", "two", "three", "four"]
        for name in names:
            self.text(name=name)
        self.assertEqual(self.names(self.keys.secrets, limit=2), names)

    def test_secrets_beyond_the_default_page(self):
        names = [f"secret {number}" for number in range(12)]
        for name in names:
            self.text(name=name)
        self.assertEqual(self.names(self.keys.secrets), names)

    def test_containers(self):
        names = ["one", "two", "three"]
        for name in names:
            made = self.keys.create_container(name=name, type="generic")
            self.addCleanup(self.keys.delete_container, made.container_id)
        self.assertEqual(self.names(self.keys.containers, limit=2), names)

    def test_orders(self):
        for _ in range(3):
            made = self.keys.create_order(type="key", meta={"algorithm": "aes", "bit_length": 256})
            self.addCleanup(self.keys.delete_order, made.order_id)
            order = self.ended(made)
            self.addCleanup(self.keys.delete_secret, order.secret_id)
        refs = [order.order_ref for order in self.keys.orders(limit=2)]
        self.assertEqual(len(refs), 3)
        self.assertEqual(len(set(refs)), 3)


class Containers(Case):
    def test_generic(self):
        secret = self.text()
        made = self.keys.create_container(
            name="box",
            type="generic",
            secret_refs=[{"name": "part", "secret_ref": secret.secret_ref}],
        )
        self.addCleanup(self.keys.delete_container, made.container_id)
        found = self.keys.get_container(made.container_id)
        self.assertEqual((found.name, found.type, found.status), ("box", "generic", "ACTIVE"))
        self.assertEqual(found.secret_refs, [{"name": "part", "secret_ref": secret.secret_ref}])
        self.assertEqual(found.consumers, [])
        self.assertEqual(self.keys.find_container(made.container_id).name, "box")
        self.assertIsNone(self.keys.find_container("no such name"))

    def test_certificate_as_magnum_keeps_it(self):
        """Magnum deletes the secrets first, and then what held them."""
        parts = ("certificate", "intermediates", "private_key", "private_key_passphrase")
        secrets = {part: self.text(name=part, payload=f"the {part}") for part in parts}
        refs = [{"name": part, "secret_ref": secrets[part].secret_ref} for part in parts]
        made = self.keys.create_container(name="cert", type="certificate", secret_refs=refs)
        found = self.keys.get_container(made.container_id)
        held = {ref["name"]: ref["secret_ref"].rsplit("/", 1)[1] for ref in found.secret_refs}
        for part in parts:
            self.assertEqual(self.keys.get_secret(held[part]).payload, f"the {part}")
            self.keys.delete_secret(held[part], ignore_missing=False)
        self.keys.delete_container(made.container_id, ignore_missing=False)
        with self.assertRaises(exceptions.NotFoundException):
            self.keys.get_container(made.container_id)

    def test_update_container(self):
        made = self.keys.create_container(name="box", type="generic")
        self.addCleanup(self.keys.delete_container, made.container_id)
        with self.assertRaises(exceptions.HttpException) as raised:
            self.keys.update_container(made.container_id, name="other")
        self.assertEqual(raised.exception.status_code, 405)

    def test_delete(self):
        made = self.keys.create_container(type="generic")
        self.keys.delete_container(made.container_id, ignore_missing=False)
        self.assertIsNone(self.keys.delete_container(made.container_id))
        with self.assertRaises(exceptions.NotFoundException):
            self.keys.delete_container(made.container_id, ignore_missing=False)


class Orders(Case):
    def test_key(self):
        meta = {"name": "ordered", "algorithm": "aes", "bit_length": 256, "mode": "cbc"}
        made = self.keys.create_order(type="key", meta=meta)
        self.addCleanup(self.keys.delete_order, made.order_id)
        order = self.ended(made)
        self.assertEqual(order.type, "key")
        self.assertEqual(order.meta["algorithm"], "aes")
        self.assertEqual(order.creator_id, self.account.user_id)
        secret = self.keys.get_secret(order.secret_id)
        self.addCleanup(self.keys.delete_secret, order.secret_id)
        self.assertEqual(len(secret.payload), 32)
        self.assertEqual(secret.name, "ordered")
        self.assertIn(made.order_id, [order.order_id for order in self.keys.orders()])
        self.assertEqual(self.keys.find_order(made.order_id).status, "ACTIVE")
        self.assertIsNone(self.keys.find_order("no such order"))

    def test_update_order(self):
        made = self.keys.create_order(type="key", meta={"algorithm": "aes", "bit_length": 256})
        self.addCleanup(self.keys.delete_order, made.order_id)
        with self.assertRaises(exceptions.HttpException) as raised:
            self.keys.update_order(made.order_id, type="asymmetric")
        self.assertEqual(raised.exception.status_code, 405)

    def test_delete_keeps_the_secret(self):
        made = self.keys.create_order(type="key", meta={"algorithm": "aes", "bit_length": 128})
        order = self.ended(made)
        self.keys.delete_order(made.order_id, ignore_missing=False)
        self.addCleanup(self.keys.delete_secret, order.secret_id)
        self.assertEqual(len(self.keys.get_secret(order.secret_id).payload), 16)
        with self.assertRaises(exceptions.NotFoundException):
            self.keys.delete_order(made.order_id, ignore_missing=False)


class AccessLists(Case):
    def test_secret(self):
        made = self.text()
        other = self.cloud.account("member", "creator")
        conn = connect(other)
        self.addCleanup(conn.close)
        acl = self.keys.get_secret_acl(made.secret_id)
        self.assertEqual(acl.read, {"project-access": True})
        self.assertNotSeen(conn.key_manager, made)
        acl = self.keys.set_secret_acl(
            made.secret_id, read={"users": [other.user_id], "project-access": False}
        )
        self.assertTrue(acl.acl_ref.endswith(f"/v1/secrets/{made.secret_id}/acl"))
        self.assertEqual(conn.key_manager.get_secret(made.secret_id).payload, "hello")
        acl = self.keys.get_secret_acl(made.secret_id)
        self.assertEqual(acl.read["users"], [other.user_id])
        self.assertFalse(acl.read["project-access"])
        self.keys.update_secret_acl(made.secret_id, read={"users": []})
        self.assertNotSeen(conn.key_manager, made)
        self.keys.delete_secret_acl(made.secret_id)
        self.assertEqual(self.keys.get_secret_acl(made.secret_id).read, {"project-access": True})

    def test_container(self):
        made = self.keys.create_container(type="generic")
        self.addCleanup(self.keys.delete_container, made.container_id)
        other = self.cloud.account("member", "creator")
        identifier = made.container_id
        self.assertEqual(self.keys.get_container_acl(identifier).read, {"project-access": True})
        acl = self.keys.create_container_acl(identifier, read={"users": [other.user_id]})
        self.assertTrue(acl.acl_ref.endswith(f"/v1/containers/{identifier}/acl"))
        acl = self.keys.update_container_acl(identifier, read={"project-access": False})
        self.assertTrue(acl.acl_ref)
        acl = self.keys.get_container_acl(identifier)
        self.assertEqual(acl.read["users"], [other.user_id])
        self.assertFalse(acl.read["project-access"])
        self.assertIsNone(self.keys.delete_container_acl(identifier))
        self.assertEqual(self.keys.get_container_acl(identifier).read, {"project-access": True})


class Consumers(Case):
    def test_secret(self):
        made = self.text()
        used = {"service": "image", "resource_type": "image", "resource_id": "a" * 36}
        consumer = self.keys.create_secret_consumer(made.secret_id, **used)
        self.assertIsNotNone(consumer)
        found = list(self.keys.secret_consumers(made.secret_id))
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0].service, "image")
        self.assertEqual(found[0].resource_type, "image")
        self.assertEqual(found[0].resource_id, "a" * 36)
        self.assertIsNone(self.keys.delete_secret_consumer(made.secret_id, **used))
        self.assertEqual(list(self.keys.secret_consumers(made.secret_id)), [])
        self.assertIsNone(self.keys.delete_secret_consumer(made.secret_id, **used))
        with self.assertRaises(exceptions.NotFoundException):
            self.keys.delete_secret_consumer(made.secret_id, ignore_missing=False, **used)

    def test_pages(self):
        # With `limit` the client asks for the last page over and over, whatever a server answers.
        made = self.text()
        for number in range(12):
            used = {"service": "s", "resource_type": "t", "resource_id": f"r{number}"}
            self.keys.create_secret_consumer(made.secret_id, **used)
            self.addCleanup(self.keys.delete_secret_consumer, made.secret_id, **used)
        found = [c.resource_id for c in self.keys.secret_consumers(made.secret_id)]
        self.assertEqual(sorted(found), sorted(f"r{number}" for number in range(12)))


class Quotas(Case):
    def test_own(self):
        quota = self.keys.get_quota()
        for kind in ("secrets", "orders", "containers", "consumers", "cas"):
            self.assertIsInstance(getattr(quota, kind), int, kind)

    def test_of_a_project(self):
        conn = connect(self.cloud.account("admin", "key-manager:service-admin"))
        self.addCleanup(conn.close)
        keys, project = conn.key_manager, self.account.project_id
        self.addCleanup(keys.delete_project_quota, project)
        keys.update_project_quota(project, secrets=1, orders=2, containers=3, consumers=4, cas=5)
        quota = keys.get_project_quota(project)
        self.assertEqual((quota.secrets, quota.orders, quota.containers), (1, 2, 3))
        self.assertEqual(self.keys.get_quota().secrets, 1)
        self.text()
        with self.assertRaises(exceptions.ForbiddenException):
            self.text()
        keys.delete_project_quota(project, ignore_missing=False)
        with self.assertRaises(exceptions.NotFoundException):
            keys.get_project_quota(project)

    def test_of_a_project_without_the_role(self):
        with self.assertRaises(exceptions.ForbiddenException):
            self.keys.update_project_quota(self.account.project_id, secrets=1)


class SecretStores(Case):
    def test_all(self):
        stores = list(self.keys.secret_stores())
        self.assertEqual([store.global_default for store in stores].count(True), 1)
        for store in stores:
            self.assertEqual(store.status, "ACTIVE")
            self.assertTrue(store.name)
            self.assertIn(store.secret_store_id, store.secret_store_ref)

    def test_default_and_preferred(self):
        default = self.keys.get_global_default_secret_store()
        self.assertTrue(default.global_default)
        with self.assertRaises(exceptions.NotFoundException):
            self.keys.get_preferred_secret_store()
        conn = connect(self.cloud.account("admin", project=self.account.project))
        self.addCleanup(conn.close)
        preferred = f"/secret-stores/{default.id}/preferred"
        self.assertEqual(conn.key_manager.post(preferred).status_code, 204)
        self.addCleanup(conn.key_manager.delete, preferred)
        self.assertEqual(self.keys.get_preferred_secret_store().secret_store_id, default.id)
        (listed,) = self.keys.secret_stores(global_default=True)
        self.assertEqual(listed.secret_store_id, default.id)


class CleanUp(Case):
    def test_project_cleanup(self):
        """`openstack project cleanup` and its like."""
        self.text(name="left over")
        self.keys.create_container(name="left over", type="generic")
        self.keys._service_cleanup(dry_run=True)
        self.assertEqual(len(list(self.keys.secrets())), 1)
        self.assertEqual(len(list(self.keys.containers())), 1)
