"""Names the clouds that openstacksdk's own functional tests ask for, before they are imported."""

import contextlib
import os
import pathlib
import tempfile

import keystoneauth1.identity.v3
import keystoneauth1.session
import yaml

import cloud

END = contextlib.ExitStack()


def entry(account, **scope):
    auth = account.password_options()
    if scope:
        del auth["project_name"], auth["project_domain_name"]
    return {"auth": {**auth, **scope}, "region_name": cloud.REGION, "identity_api_version": "3"}


def prefer_a_store(account):
    """Where there are stores, the tests of upstream expect that the project has chosen one."""
    auth = keystoneauth1.identity.v3.Password(**account.password_options())
    session = keystoneauth1.session.Session(auth)
    stores = {"service_type": "key-manager", "region_name": cloud.REGION}
    default = session.get(
        "/v1/secret-stores/global-default", endpoint_filter=stores, raise_exc=False
    )
    if default.status_code == 200:
        path = "/v1/secret-stores/" + default.json()["secret_store_ref"].rsplit("/", 1)[1]
        session.post(path + "/preferred", endpoint_filter=stores)
        END.callback(session.delete, path + "/preferred", endpoint_filter=stores)


def pytest_configure(config):
    made = cloud.Cloud(END.callback)
    clouds = {
        "devstack": entry(made.account("member")),
        "devstack-alt": entry(made.account("member")),
        "devstack-admin": entry(made.admin),
        "devstack-system-admin": entry(made.admin, system_scope="all"),
    }
    folder = END.enter_context(tempfile.TemporaryDirectory(prefix="conformance-sdk-"))
    file = pathlib.Path(folder) / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": clouds}))
    for name in [name for name in os.environ if name.startswith("OS_")]:
        if name not in ("OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME", "OS_REGION_NAME"):
            del os.environ[name]
    prefer_a_store(made.admin)
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(file)
    os.environ["OS_TEST_TIMEOUT"] = "60"


def pytest_unconfigure(config):
    END.close()
