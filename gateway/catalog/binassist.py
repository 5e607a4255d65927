"""What is known by heart of BinAssistMCP: what it publishes, and what its own source code says of each tool's risk.

The one copy of these facts. `survey` asks for the risk of a tool that it recognises; the demo server publishes them.
"""

from importlib.resources import files
from typing import Any, Final

import msgspec

from gateway.catalog import classify
from gateway.catalog.definition import Definition, read_definition
from gateway.catalog.risk import Classification, Evidence, Level, RiskClass, Switch, ValueRisk, reaches


class _Switch(msgspec.Struct, forbid_unknown_fields=True):
    argument: str
    values: tuple[ValueRisk, ...]


class _Risk(msgspec.Struct, forbid_unknown_fields=True):
    risk: RiskClass = msgspec.field(name="class")
    level: Level
    reason: str
    switch: _Switch | None = None


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    tools: list[dict[str, Any]]
    resource_templates: list[dict[str, Any]]
    prompts: list[dict[str, Any]]
    risks: dict[str, _Risk]


_document = msgspec.json.decode(files("gateway.catalog").joinpath("binassist.json").read_bytes(), type=_Document)

TOOLS: Final = tuple(_document.tools)
"""The 44 tools as they are published, in that order."""

RESOURCE_TEMPLATES: Final = tuple(_document.resource_templates)
"""The 8 resource templates."""

PROMPTS: Final = tuple(_document.prompts)
"""The 7 prompts."""

_DEFINITIONS: Final = {entry["name"]: read_definition(entry) for entry in TOOLS}


def known(definition: Definition) -> Classification | None:
    """The risk of a tool of BinAssistMCP; None for any other.

    A tool is recognised by its name and its whole schema: one that was changed since is not the one we know. Its
    description may differ, as it does between versions.
    """
    ours = _DEFINITIONS.get(definition.name)
    if ours is None or not definition.is_whole or ours.arguments != definition.arguments:
        return None
    entry = _document.risks[definition.name]
    switches = (_switch(definition, entry.switch),) if entry.switch else ()
    # What the definition alone would suggest is left out where reading the source has shown it to be wrong.
    derived = classify.classify(definition).evidence
    agreeing = [piece for piece in derived if piece.risk is not None and reaches(entry.risk, piece.risk)]
    reason = Evidence("source code", entry.reason, entry.risk, entry.level)
    found = classify.conclude(definition, [reason, *agreeing], entry.risk, switches)
    return msgspec.structs.replace(found, level=entry.level)


def _switch(definition: Definition, entry: _Switch) -> Switch:
    path = f"args.{entry.argument}"
    argument = next(argument for argument in definition.arguments if argument.path == path)
    return Switch(path, entry.values, argument.default, argument.is_required)
