"""Finds every place where plain data does not fit a type. Called where documents become typed values.

msgspec is the judge of each part; this module only walks, since msgspec itself stops at the first fault.
"""

import contextlib
import difflib
import functools
import re
import types
import typing
from collections.abc import Collection, Iterator, Mapping

import msgspec

from gateway.reading.outcome import Fault, Path

_EXPECTED = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}
_GOT = {**_EXPECTED, "float": "a decimal number"}


def faults(value: object, annotation: typing.Any, path: Path = ()) -> Iterator[Fault]:
    """Yield what keeps `value` from being converted to the annotated type; nothing when it fits.

    Unknown fields of a struct are faults whether the struct forbids them or not.
    """
    nested = list(_nested(value, annotation, path))
    yield from nested
    if not nested and (message := _complaint(value, annotation)):
        yield path, message


def sound_fields(value: Mapping[str, object], struct: type[msgspec.Struct]) -> dict[str, typing.Any]:
    """The fields of a struct that can be relied on, converted, although others may be wrong.

    These are the ones that fit as they are written, and those left out that have a default.
    """
    sound: dict[str, typing.Any] = {}
    for name, field in _fields(struct).items():
        if name in value:
            with contextlib.suppress(msgspec.ValidationError):
                sound[name] = msgspec.convert(value[name], field.type)
        elif not field.required:
            sound[name] = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return sound


def nearest(name: str, known: Collection[str]) -> str:
    """A phrase to append to "unknown X": the known name closest to `name`, or else all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known here: {', '.join(sorted(known))}" if known else ""


def _nested(value: object, annotation: typing.Any, path: Path) -> Iterator[Fault]:
    """Faults of what stands inside a mapping or a list, where the annotation says what that should be."""
    annotation = _bare(annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(value, dict):
        if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
            yield from _members(value, annotation, path)
        elif origin in (dict, Mapping):
            for name, member in value.items():
                yield from faults(name, arguments[0], (*path, name))
                yield from faults(member, arguments[1], (*path, name))
    elif isinstance(value, list) and (origin is list or (origin is tuple and arguments[-1] is ...)):
        for index, element in enumerate(value):
            yield from faults(element, arguments[0], (*path, index))


def _bare(annotation: typing.Any) -> typing.Any:
    """The annotation without its bounds, and without "or nothing"."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = annotation.__origin__
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [a for a in typing.get_args(annotation) if a not in (types.NoneType, msgspec.UnsetType)]
        if len(members) == 1:
            return _bare(members[0])
    return annotation


def _members(value: dict[str, object], struct: type[msgspec.Struct], path: Path) -> Iterator[Fault]:
    fields = _fields(struct)
    for name, member in value.items():
        if name in fields:
            yield from faults(member, fields[name].type, (*path, name))
        elif name != struct.__struct_config__.tag_field:
            yield (*path, name), f"unknown field{nearest(name, fields)}"
    for name, field in fields.items():
        if field.required and name not in value:
            yield path, f"the field `{name}` is missing"


@functools.cache
def _fields(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    """The fields of a struct by the names they have in a document."""
    return {field.encode_name: field for field in msgspec.structs.fields(struct)}


def _complaint(value: object, annotation: typing.Any) -> str | None:
    """What msgspec itself objects to, in the words of the file; None when it accepts the value."""
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        return _choice(value, annotation) or _in_plain_words(str(error))
    return None


def _choice(value: object, annotation: typing.Any) -> str | None:
    bare = _bare(annotation)
    if typing.get_origin(bare) is not typing.Literal or not isinstance(value, str):
        return None
    return f"unknown value{nearest(value, [str(word) for word in typing.get_args(bare)])}"


def _in_plain_words(message: str) -> str:
    expected, got, rest = message.partition(", got ")
    return _words(expected, _EXPECTED) + got + _words(rest, _GOT) + _mend(expected, rest)


def _mend(expected: str, got: str) -> str:
    """Quotes are what people most often forget, or write too much."""
    if "`str" in expected and got in ("`int`", "`float`", "`bool`"):
        return "; put it in quotes"
    if got == "`str`" and expected.startswith(("Expected `int", "Expected `float", "Expected `bool")):
        return "; write it without quotes"
    return ""


def _words(message: str, names: dict[str, str]) -> str:
    def plain(match: re.Match[str]) -> str:
        return " or ".join(names.get(word, word) for word in match[1].split(" | "))

    message = re.sub(r"`([a-z |]+)`", plain, message)
    return message[:1].lower() + message[1:]
