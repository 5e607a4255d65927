"""JSON Schemas (2020-12): those of a policy's `arguments`, and the server's own for `validate`.

Nothing is ever fetched, and patterns run on the linear-time engine. Who lists the server's tools is not known here.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import jsonschema_rs
import msgspec

from gateway.policy.patterns import LINEAR
from gateway.policy.schema_size import unfolded_size

MAX_UNFOLDED: Final = 10_000
"""The largest schema of a server's, its references written out: at worst, one value is compared with all of it."""

MAX_DESCRIBED: Final = 1_000
"""With more values in its arguments than this, no agent is told where a call fails: that takes the engine too long."""

_DEFINITIONS: Final = ("$schema", "$id", "$anchor", "$defs", "definitions")


class ToolSchema(msgspec.Struct, frozen=True):
    """A tool's own `inputSchema`, compiled."""

    required: jsonschema_rs.Validator
    """Holds where the required arguments are there and each is as the schema has it."""
    whole: jsonschema_rs.Validator


class SchemaSource(Protocol):
    """Where the schemas of one server's tools come from."""

    def schema(self, tool: str) -> ToolSchema | None:
        """The tool's schema; None while it is not known."""
        ...


class NoSchemas:
    """Stands where no server is asked: no schema is ever known."""

    def schema(self, tool: str) -> ToolSchema | None:
        """None."""
        return None


NO_SCHEMAS: Final[SchemaSource] = NoSchemas()


class KnownSchemas:
    """The schemas of tools that have been listed once, for whoever is no gateway."""

    def __init__(self, schemas: Mapping[str, Mapping[str, Any]]) -> None:
        """By the names of the tools. Raises ValueError as `compile_schema`."""
        self._schemas = {tool: compile_tool_schema(schema) for tool, schema in schemas.items()}

    def schema(self, tool: str) -> ToolSchema | None:
        """The tool's schema, if it was listed."""
        return self._schemas.get(tool)


class ServerCheck:
    """A check of arguments by the schema that the server has for a tool at that moment."""

    def __init__(self, schemas: SchemaSource, tool: str, *, whole: bool) -> None:
        """`whole` for all of the schema, else its required arguments alone."""
        self._schemas = schemas
        self._tool = tool
        self._whole = whole

    @property
    def validator(self) -> jsonschema_rs.Validator | None:
        """What checks now; None while the schema is not known."""
        schema = self._schemas.schema(self._tool)
        if schema is None:
            return None
        return schema.whole if self._whole else schema.required

    def is_valid(self, arguments: object) -> bool:
        """Whether the arguments fit the schema; not while it is not known."""
        validator = self.validator
        return validator is not None and validator.is_valid(arguments)


def compile_schema(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """A validator by JSON Schema 2020-12, whatever `$schema` says.

    Raises ValueError for a schema that is none, for a reference to anything but itself, and for a pattern that a
    linear-time engine does not have.
    """
    wanted: list[str] = []

    def refuse(uri: str) -> Any:
        wanted.append(uri)
        raise ValueError("nothing is fetched")

    try:
        return jsonschema_rs.Draft202012Validator(dict(schema), pattern_options=LINEAR, retriever=refuse)
    except jsonschema_rs.ValidationError as error:
        if wanted:
            message = f"`$ref` to {wanted[0]}: schemas are never fetched; write it into `$defs`"
            raise ValueError(message) from None
        place = "".join(f"/{step}" for step in error.instance_path)
        raise ValueError(f"not a JSON Schema{f' at {place}' if place else ''}: {error.message}") from None


def compile_tool_schema(schema: Mapping[str, Any]) -> ToolSchema:
    """A tool's `inputSchema`, compiled. Raises ValueError as `compile_schema`, and for one beyond `MAX_UNFOLDED`."""
    size = unfolded_size(schema)
    if size > MAX_UNFOLDED:
        raise ValueError(f"with its references written out it has {size} parts, more than {MAX_UNFOLDED}")
    whole = compile_schema(schema)
    properties, required = schema.get("properties", {}), schema.get("required", [])
    definitions = {name: schema[name] for name in _DEFINITIONS if name in schema}
    part = {
        **definitions,
        "type": "object",
        "required": required,
        "properties": {name: properties[name] for name in required if name in properties},
    }
    return ToolSchema(compile_schema(part), whole)


def failure_of(validator: jsonschema_rs.Validator, arguments: object) -> tuple[tuple[str | int, ...], str] | None:
    """Where arguments that are not valid fail first, and the keyword of the schema that they fail.

    None where they hold more than `MAX_DESCRIBED` values.
    """
    if not _has_at_most(MAX_DESCRIBED, arguments):
        return None
    try:
        validator.validate(arguments)
    except jsonschema_rs.ValidationError as error:
        keywords = [step for step in error.schema_path if isinstance(step, str)]
        return tuple(error.instance_path), keywords[-1] if keywords else "false"
    raise AssertionError("arguments that are valid have no failure")


def _has_at_most(most: int, value: object) -> bool:
    """Whether `value` is made of no more values than this, itself among them."""
    # Grows while it is walked.
    found: list[object] = [value]
    for each in found:
        match each:
            case dict():
                found += each.values()
            case list():
                found += each
        if len(found) > most:
            return False
    return True
