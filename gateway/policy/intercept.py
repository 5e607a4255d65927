"""A policy for Intercept, PolicyLayer's open-source proxy: its shape, and its version-1 form.

What its reference says of it holds here too. What a rule becomes is for `intercept_rules.py` to say. Called by
`dialect.py`.
"""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec

from gateway.documents import Carried, Document
from gateway.policy.intercept_limits import UncarriedError
from gateway.policy.intercept_rules import Ids, Rule, carry_rule
from gateway.reading import shapes
from gateway.reading.outcome import Fault, Path

_EVERY_TOOL: Final = "*"
_EVERY_SCOPE: Final = "_global"
# What a version-1 tool has once, while each of its rules here may have its own: by the field here.
_SINGLE: Final = {"approval_timeout": "approval", "rate_limit": "rate_limit", "validate": "validate"}

_NO_GLOB: Final = (
    "Intercept takes `{}` for the name of one tool, version 1 for a glob; name the tools one by one, "
    "or write the document in version 1"
)
_NO_APPROVALS: Final = (
    "how approvals are told and kept is not for a policy to say here; take `approvals` out, "
    "and write `approval_timeout` into the rules that need it"
)


class Tool(msgspec.Struct, frozen=True):
    """One entry of `tools`; the one of `*` holds for every call."""

    rules: tuple[Rule, ...] = ()


class Intercept(msgspec.Struct, frozen=True):
    """A whole document."""

    version: Literal["1"]
    default: Literal["allow", "deny"] = "allow"
    description: str = ""
    hide: tuple[Annotated[str, msgspec.Meta(min_length=1)], ...] = ()
    tools: dict[str, Tool] = {}
    approvals: object = msgspec.UNSET


def version_1(document: Document) -> tuple[Document | None, list[Fault]]:
    """The version-1 form of an Intercept document, unchecked, and what cannot be carried over to it.

    There is no form where the shapes are wrong. Faults are by their paths in `document`.
    """
    if faults := list(shapes.faults(document.value, Intercept)):
        return None, faults
    policy = msgspec.convert(document.value, Intercept)
    ids = Ids()
    tools = {name: _ToolForm(name, tool, ids) for name, tool in policy.tools.items()}
    faults = [*_faults(policy), *(fault for form in tools.values() for fault in form.faults)]
    every_tool = tools.pop(_EVERY_TOOL, None)
    value: dict[str, object] = {"version": policy.version}
    if policy.description:
        value["description"] = policy.description
    value["default"] = policy.default
    if policy.hide:
        value["hide"] = list(policy.hide)
    if every_tool:
        value["all_tools"] = every_tool.carried()
    value["tools"] = {name: form.carried() for name, form in tools.items()}
    return document.rewritten(Carried(value, ())), faults


class _ToolForm:
    """The version-1 rules of one tool, and what of its rules cannot be carried over to them."""

    def __init__(self, name: str, tool: Tool, ids: Ids) -> None:
        self.faults: list[Fault] = []
        self._at: Path = ("tools", name)
        self._is_for_all = name == _EVERY_TOOL
        self._fields: dict[str, list[Carried]] = {}
        for index, rule in enumerate(tool.rules):
            self._take(rule, (*self._at, "rules", index), ids)
        self.faults += _recounted(self._fields.get("limits", []))
        self._once: dict[str, Carried] = {}
        for written, field in _SINGLE.items():
            self._take_once(written, field)

    def carried(self) -> Carried:
        """The form, to be put into that of the document."""
        lists = {field: Carried(values, values[0].origin) for field, values in self._fields.items()}
        return Carried(lists | self._once, self._at)

    def _take(self, rule: Rule, at: Path, ids: Ids) -> None:
        scope = _EVERY_SCOPE if self._is_for_all else str(self._at[-1])
        try:
            for field, value in carry_rule(rule, scope, at, ids):
                self._fields.setdefault(field, []).append(value)
        except UncarriedError as error:
            self.faults.append((error.path, str(error)))

    def _take_once(self, written: str, field: str) -> None:
        values = self._fields.pop(written, [])
        odd = [value for value in values if value.value != values[0].value]
        if self._is_for_all and field != "approval":
            message = f"only single tools have `{written}` in version 1; write it into the rules of each"
            self.faults += [(value.origin, message) for value in values]
        elif odd:
            message = f"a tool has one `{written}` in version 1; make all its rules agree on it"
            self.faults.append((odd[0].origin, message))
        elif values and values[0].value is not None:
            self._once[field] = _expiring(values[0]) if field == "approval" else values[0]


def _expiring(timeout: Carried) -> Carried:
    return Carried({"expires": timeout}, timeout.origin)


def _recounted(limits: list[Carried]) -> Iterator[Fault]:
    """A counter of one tool that two of its rules count on, which Intercept refuses as well."""
    seen: set[object] = set()
    for limit in limits:
        match limit.value:
            case {"counter": Carried(value=counter, origin=origin)}:
                if counter in seen:
                    yield origin, f"another rule of this tool counts on `{counter}` already; keep one, or rename it"
                seen.add(counter)


def _faults(policy: Intercept) -> Iterator[Fault]:
    """Names that version 1 would read in another way, and what is not a policy's here."""
    for name in policy.tools:
        if "*" in name and name != _EVERY_TOOL:
            yield ("tools", name), _NO_GLOB.format(name)
    for index, name in enumerate(policy.hide):
        if "*" in name and name != _EVERY_TOOL:
            yield ("hide", index), _NO_GLOB.format(name)
    if policy.approvals is not msgspec.UNSET:
        yield ("approvals",), _NO_APPROVALS
