"""Writes what became of each test, for `cargo xtask conformance`: a plugin of pytest (`-p outcomes`).

The file named by CONFORMANCE_OUTCOMES gets one JSON object a line, {"test": "module.Class.name", "verdict": "passed",
"failed" or "skipped", "detail": "..."}, and at the end of a complete run {"end": true}. A program that runs tests in
another way uses `Outcomes` itself.
"""

import json
import os

DETAIL_CHARS_MAX = 20_000
_RANK = {"passed": 0, "skipped": 1, "failed": 2}


class Outcomes:
    """One file of outcomes. The worst of several verdicts on one test counts."""

    def __init__(self, path=None):
        self._path = path or os.environ["CONFORMANCE_OUTCOMES"]
        self._tests = {}

    def add(self, test, verdict, detail=""):
        known, details = self._tests.get(test, ("passed", []))
        details = details + ([detail] if detail else [])
        verdict = max(verdict, known, key=_RANK.__getitem__)
        self._tests[test] = (verdict, details)

    def end(self):
        with open(self._path, "w", encoding="utf-8") as file:
            for test, (verdict, details) in self._tests.items():
                detail = "\n".join(details)[-DETAIL_CHARS_MAX:]
                line = {"test": test, "verdict": verdict, "detail": detail}
                file.write(json.dumps(line) + "\n")
            file.write(json.dumps({"end": True}) + "\n")


# === pytest ===

_names = {}
_outcomes = None


def pytest_configure():
    global _outcomes
    _outcomes = Outcomes()


def pytest_collection_modifyitems(items):
    for item in items:
        parts = [item.module.__name__ if getattr(item, "module", None) else item.nodeid]
        if getattr(item, "cls", None):
            parts.append(item.cls.__qualname__)
        _names[item.nodeid] = ".".join([*parts, item.name])


def pytest_runtest_logreport(report):
    name = _names.get(report.nodeid, report.nodeid)
    if hasattr(report, "wasxfail"):
        # An expected failure is one of the list, not of the test's own.
        verdict = "failed" if report.skipped else "passed"
    else:
        verdict = report.outcome
    if verdict == "skipped" and isinstance(report.longrepr, tuple):
        detail = report.longrepr[2]
    else:
        detail = report.longreprtext
    _outcomes.add(name, verdict, detail if verdict != "passed" else "")


def pytest_collectreport(report):
    if report.outcome != "passed":
        name = report.nodeid or "collection"
        _outcomes.add(name, report.outcome, report.longreprtext)


def pytest_sessionfinish(exitstatus):
    # 0: all passed, 1: some failed, 5: there was none. Others end early.
    if exitstatus in (0, 1, 5):
        _outcomes.end()
