"""What the tests of OpenStack's services have in common: the service's own user and settings, and a user of its."""

import contextlib
import pathlib
import tempfile

import cloud

AUTHENTICATION = """
auth_type = password
auth_url = {auth_url}
username = {username}
password = {password}
user_domain_name = {user_domain_name}
project_name = {project_name}
project_domain_name = {project_domain_name}
"""


class Module:
    """A service, for all tests of a file, since making it takes most of their time.

    Each file has a class of this kind, whose `set_up` and `tear_down` are its `setUpModule` and `tearDownModule`.
    """

    name = None
    roles = ("service",)
    """Of the service's user, in the project of the service."""
    settings = ""
    """The configuration file. `{folder}`, `{region}` and `{auth_url}` stand for that, `{authentication}` for the
    options of a section by which keystoneauth logs in as the service."""

    @classmethod
    def set_up(cls):
        """Makes `cloud`, `service` (the account), `owner` (who uses it), and `file` in `folder`."""
        cls.end = contextlib.ExitStack()
        prefix = f"conformance-{cls.name}-"
        cls.folder = cls.end.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
        cls.cloud = cloud.Cloud(cls.end.callback)
        cls.service = cls.cloud.account(*cls.roles)
        cls.owner = cls.cloud.account("member", "creator")
        cls.file = pathlib.Path(cls.folder) / f"{cls.name}.conf"
        text = cls.settings.format(
            folder=cls.folder,
            region=cloud.REGION,
            auth_url=cloud.auth_url(),
            authentication=AUTHENTICATION.format(**cls.service.password_options()).strip(),
        )
        cls.file.write_text(text)

    @classmethod
    def tear_down(cls):
        cls.end.close()


def catalog(told):
    """The catalog of a token in the older form, in which keystonemiddleware hands it to services."""
    services = []
    for service in told["catalog"]:
        endpoints = {}
        for endpoint in service["endpoints"]:
            at = endpoints.setdefault(endpoint["region_id"], {"region": endpoint["region_id"]})
            at[endpoint["interface"] + "URL"] = endpoint["url"]
        services.append(
            {"type": service["type"], "name": service["name"], "endpoints": list(endpoints.values())}
        )
    return services
