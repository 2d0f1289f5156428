"""openstacksdk's own functional tests of the key manager, all that the package brings."""

import importlib
import pathlib
import unittest

from openstack.tests.functional import key_manager

FOLDER = pathlib.Path(key_manager.__file__).parent / "v1"


def upstream():
    for file in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"{key_manager.__name__}.v1.{file.stem}")
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, unittest.TestCase):
                yield name, value


globals().update(upstream())


def test_that_the_package_brings_tests():
    assert len(dict(upstream())) >= 6
