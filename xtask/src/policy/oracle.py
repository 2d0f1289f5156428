"""Asks oslo.policy what the example `decide` of donjon-oslo-policy is asked, in the same form.

    oracle.py names                     prints the rules that Barbican registers, one JSON text a line
    oracle.py table new|new-or-legacy   each line of the input is the name of one of Barbican's rules
    oracle.py strings                   each line of the input is a rule itself

The input and output are described in the example. In a context for `table`, `entity` says what is asked for; the target
is made of it by Barbican's own code, and has to be the one in the context.
"""

import functools
import inspect
import json
import keyword
import logging
import re
import sys
import types
import warnings

from oslo_config import cfg
from oslo_policy import _checks
from oslo_policy import _external
from oslo_policy import _parser
from oslo_policy import policy


# === what the crate is documented to know of Python's syntax, said here a second time ===

LITERAL = re.compile(
    r"""True|False|None|'[^'\\\n\r\0]*'|"[^"\\\n\r\0]*"|[+-]?(?:0(?:_?0)*|[1-9](?:_?[0-9])*)"""
)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TEMPLATE = re.compile(r"(?:[^%]|%%|%\([^()]*\)s)*", re.DOTALL)
DIGITS_MAX = 40


def is_kind(kind):
    if LITERAL.fullmatch(kind):
        return kind[0] in "TFN'\"" or len(kind.lstrip("+-")) <= DIGITS_MAX
    return all(
        NAME.fullmatch(name) and not keyword.iskeyword(name)
        for name in kind.split(".")
    )


def is_supported(check):
    if isinstance(check, (_checks.AndCheck, _checks.OrCheck)):
        return all(is_supported(part) for part in check.rules)
    if isinstance(check, _checks.NotCheck):
        return is_supported(check.rule)
    if isinstance(check, _external.HttpCheck):
        return False
    if isinstance(check, _checks.RoleCheck):
        return TEMPLATE.fullmatch(check.match) is not None
    if isinstance(check, _checks.GenericCheck):
        return is_kind(check.kind) and TEMPLATE.fullmatch(check.match) is not None
    return isinstance(check, (_checks.RuleCheck, _checks.TrueCheck, _checks.FalseCheck))


# === answers ===


@functools.lru_cache(maxsize=None)
def argspec_of(function):
    return inspect.getfullargspec(function)


# Before each check oslo.policy asks for the arguments of the class's `__call__`, which takes nine tenths of its time.
# The answer is always the same for a class, so it is kept. Nothing else of oslo.policy is touched.
_checks.inspect = types.SimpleNamespace(
    getfullargspec=lambda method: argspec_of(method.__func__)
)


def letter(enforce):
    try:
        return "y" if enforce() else "n"
    except policy.PolicyNotAuthorized:
        return "n"
    except policy.InvalidScope:
        return "s"
    except Exception:
        return "!"


def row(kind, check, scopes, answers):
    text = json.dumps(str(check), ensure_ascii=False)
    named = ", ".join(s for s in ("project", "domain", "system") if s in scopes)
    return "\t".join((kind, text, named, answers))


ANY = ("project", "domain", "system")


class Counter(logging.Handler):
    """Counts what the parser complains about."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def handle(self, record):
        self.count += 1


def strings(setup, lines):
    logger = logging.getLogger("oslo_policy._parser")
    complaints = Counter()
    logger.addHandler(complaints)
    logger.propagate = False
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    enforcer = policy.Enforcer(conf, use_conf=False)
    enforcer.skip_undefined_check = True
    named = {name: _parser.parse_rule(rule) for name, rule in setup["rules"].items()}
    enforcer.set_rules(named)
    contexts = [(c["creds"], c["target"]) for c in setup["contexts"]]
    for line in lines:
        complaints.count = 0
        check = _parser.parse_rule(json.loads(line))
        if not is_supported(check):
            yield row("refused", "", ANY, "")
            continue
        kind = "bad" if complaints.count else "ok"
        answers = "".join(
            letter(lambda: enforcer.enforce(check, target, creds))
            for creds, target in contexts
        )
        yield row(kind, check, ANY, answers)


# === Barbican ===


def entity_target(entity, user, new_defaults):
    """The target of a request, as Barbican's controllers make it."""
    from barbican.api import controllers
    from barbican.api.controllers import orders

    context = types.SimpleNamespace(user_id=user)
    request = types.SimpleNamespace(environ={"barbican.context": context})
    project = types.SimpleNamespace(external_id=entity.get("project"))
    row = types.SimpleNamespace(project=project, creator_id=entity.get("creator"))
    kind = entity.get("kind")
    if kind == "order":
        name, data = orders.OrderController.get_acl_tuple(
            types.SimpleNamespace(order=row), request
        )
    else:
        mixin = controllers.ACLMixin()
        if kind:
            acl = entity["acl"]
            acls = []
            if acl is not None:
                acls.append(
                    types.SimpleNamespace(
                        operation="read",
                        project_access=acl["project_access"],
                        to_dict_fields=lambda: {"users": acl["users"]},
                    )
                )
            setattr(row, kind + "_acls", acls)
            setattr(mixin, kind, row)
        name, data = mixin.get_acl_tuple(request)
    target = {"enforce_new_defaults": new_defaults}
    if name and data:
        target["target"] = {name: data}
    return controllers.flatten(target)


def barbican_enforcer(new_defaults):
    from barbican.common import policies

    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    enforcer = policy.Enforcer(conf)
    conf.set_override("enforce_new_defaults", new_defaults, group="oslo_policy")
    conf.set_override("policy_dirs", [], group="oslo_policy")
    enforcer.suppress_default_change_warnings = True
    enforcer.register_defaults(policies.list_rules())
    enforcer.load_rules()
    return enforcer


def table(setup, lines, new_defaults):
    from barbican import context

    enforcer = barbican_enforcer(new_defaults)
    contexts = []
    for asked in setup["contexts"]:
        creds = asked["creds"]
        target = entity_target(asked["entity"], creds["user_id"], new_defaults)
        if target != asked["target"]:
            sys.exit(f"Barbican makes {target}, not {asked['target']}")
        contexts.append((context.RequestContext(policy_enforcer=enforcer, **creds), target))
    for line in lines:
        name = json.loads(line)
        rule = enforcer.registered_rules[name]
        check = enforcer.rules[name]
        answers = "".join(
            letter(lambda: enforcer.authorize(name, target, creds, do_raise=True))
            for creds, target in contexts
        )
        yield row("ok", check, rule.scope_types or ANY, answers)


def main(mode, *words):
    warnings.simplefilter("ignore")
    if mode == "names":
        for name in barbican_enforcer(True).registered_rules:
            print(json.dumps(name))
        return
    lines = iter(sys.stdin)
    setup = json.loads(next(lines))
    if mode == "table":
        rows = table(setup, lines, {"new": True, "new-or-legacy": False}[words[0]])
    else:
        rows = strings(setup, lines)
    for text in rows:
        print(text)


main(*sys.argv[1:])
