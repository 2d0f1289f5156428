//! `conformance old`: the client of Debian 12, python-barbicanclient 5.4, with the libraries and the Python of its time.

use std::env;

use anyhow::Result;

use crate::kit::debian;
use crate::suite::{Outcome, Run, Suite};

pub(crate) const SUITE: Suite = Suite {
    name: "old",
    packages: &[],
    peers: true,
    tune: |_| (),
    run,
};

/// The client, all that it imports, and pytest.
const PACKAGES: &[&str] = &[
    "python3-barbicanclient",
    "python3-attr",
    "python3-autopage",
    "python3-certifi",
    "python3-chardet",
    "python3-charset-normalizer",
    "python3-cliff",
    "python3-cmd2",
    "python3-debtcollector",
    "python3-idna",
    "python3-importlib-metadata",
    "python3-iniconfig",
    "python3-iso8601",
    "python3-keystoneauth1",
    "python3-more-itertools",
    "python3-msgpack",
    "python3-netaddr",
    "python3-netifaces",
    "python3-os-service-types",
    "python3-oslo.i18n",
    "python3-oslo.serialization",
    "python3-oslo.utils",
    "python3-packaging",
    "python3-pbr",
    "python3-pkg-resources",
    "python3-pluggy",
    "python3-prettytable",
    "python3-pyparsing",
    "python3-pyperclip",
    "python3-pytest",
    "python3-requests",
    "python3-six",
    "python3-stevedore",
    "python3-typing-extensions",
    "python3-tz",
    "python3-urllib3",
    "python3-wcwidth",
    "python3-wrapt",
    "python3-yaml",
    "python3-zipp",
];

fn run(run: &Run<'_>) -> Result<Vec<Outcome>> {
    let root = debian::packages("old", PACKAGES)?;
    let tests = run.tests();
    let libraries = root.join("usr/lib/python3/dist-packages");
    let path = env::join_paths([Run::library(), libraries])?;
    run.pytest_with(debian::PYTHON.as_ref(), &[&tests], |command| {
        command.env("PYTHONPATH", path);
        command.env("PYTHONNOUSERSITE", "1");
    })
}
