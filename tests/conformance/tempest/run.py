"""Runs tests of barbican-tempest-plugin with tempest, for `cargo xtask conformance tempest`.

`run.py FOLDER PREFIX [REGEX]`: the folder has a tempest.conf; the names of tests get the prefix. A test of a class
that was skipped as a whole counts as skipped, one of a class whose preparation failed as failed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import subunit
import tempest
import testtools

from outcomes import Outcomes

TESTS = r"^barbican_tempest_plugin\."
TEMPEST = str(Path(sys.executable).with_name("tempest"))
# A class with its preparation, as tempest names it in place of a test.
CLASS = re.compile(r"(?:setUpClass|tearDownClass) \((.*)\)")
VERDICTS = {
    "success": "passed",
    "skip": "skipped",
    "fail": "failed",
    # The list of expected failures is the place for what a test itself expects to fail.
    "xfail": "failed",
    "uxsuccess": "passed",
}


def run(folder, prefix, regex):
    top = Path(tempest.__file__).parent
    Path(folder, ".stestr.conf").write_text(
        f"[DEFAULT]\ntest_path={top}/test_discover\ntop_dir={top.parent}\ngroup_regex=([^\\.]*\\.)*\n"
    )
    if not Path(folder, ".stestr").exists():
        subprocess.run([sys.executable, "-m", "stestr.cli", "init"], cwd=folder, check=True)
    command = [TEMPEST, "run", "--config-file", "tempest.conf", "--regex", regex]
    listed = subprocess.run([*command, "--list-tests"], cwd=folder, check=True, capture_output=True, text=True)
    tests = {name_of(line) for line in listed.stdout.splitlines() if re.match(TESTS, line)}
    if not tests:
        sys.exit(f"no test has a name like {regex}\n{listed.stderr}")
    results = []
    with subprocess.Popen([*command, "--serial", "--subunit"], cwd=folder, stdout=subprocess.PIPE) as process:
        stream = subunit.ByteStreamToStreamResult(process.stdout, non_subunit_name="output")
        result = testtools.StreamToDict(results.append)
        result.startTestRun()
        stream.run(result)
        result.stopTestRun()
    verdicts = judge(tests, results)
    outcomes = Outcomes()
    for test in sorted(tests):
        verdict, detail = verdicts.get(test, ("failed", "it did not run"))
        outcomes.add(prefix + test, verdict, detail)
        print(f"{verdict:8}{prefix}{test}")
    outcomes.end()


def judge(tests, results):
    """Verdict and detail of each test, from the results that tempest streams."""
    verdicts = {}
    for result in results:
        verdict = VERDICTS.get(result["status"])
        if verdict is None:
            continue
        detail = "\n".join(content.as_text() for content in result["details"].values())
        if of_class := CLASS.fullmatch(result["id"]):
            if verdict == "passed":
                continue
            names = [test for test in tests if test.startswith(of_class[1] + ".")]
        else:
            names = [name_of(result["id"])]
        for name in names:
            known, details = verdicts.get(name, ("passed", ""))
            worst = max(known, verdict, key=["passed", "skipped", "failed"].index)
            verdicts[name] = (worst, f"{details}\n{detail}".strip() if verdict != "passed" else details)
    return verdicts


def name_of(test_id):
    """Without what decorators add: `[id-...,smoke]`."""
    return test_id.strip().partition("[")[0]


if __name__ == "__main__":
    folder, prefix, *rest = sys.argv[1:]
    os.environ.pop("OS_TEST_TIMEOUT", None)
    run(folder, prefix, rest[0] if rest else TESTS)
