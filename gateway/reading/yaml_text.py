"""Reads a strict subset of YAML and remembers places. Called by `gateway.documents`.

Built on PyYAML's events, not on its loader: what a plain word means is decided here. It means what JSON
would mean by it; a number or a constant in a spelling that JSON lacks is refused, any other word is text.
"""

import re
from collections.abc import Iterator

import yaml

from gateway.reading.json_text import NUMBER, SURROGATE, json_number
from gateway.reading.outcome import MAX_DEPTH, Path, Reading, UnreadableError

_CONSTANTS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}
_DISPUTED_CONSTANT = re.compile(r"(?i:null|true|false)")
_DISPUTED_NUMBER = re.compile(
    r"[-+]?(?:0x[0-9a-fA-F_]+|0o[0-7_]+|0b[01_]+|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|\.(?i:inf))|\.(?i:nan)"
    r"|[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"
)


def read_yaml(text: str) -> Reading:
    """Read one YAML document; raises UnreadableError at the first thing malformed or outside the subset."""
    try:
        return _Reader(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise UnreadableError(f"not valid YAML: {message}", mark.index if mark else None) from None
    except yaml.reader.ReaderError as error:
        raise UnreadableError(
            "not valid YAML: this character is not allowed; write it as an escape", error.position
        ) from None


class _Reader:
    """One pass over the events of one text."""

    def __init__(self, text: str) -> None:
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self.offsets: dict[Path, int] = {}

    def document(self) -> Reading:
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return Reading(None)
        value = self._value((), next(self.events))
        next(self.events)  # the end of the document
        following = next(self.events)
        if isinstance(following, yaml.DocumentStartEvent):
            raise UnreadableError("a second document begins here; put it into a file of its own", _offset(following))
        return Reading(value, self.offsets)

    def _value(self, path: Path, event: yaml.Event) -> object:
        _refuse_references(event, path)
        match event:
            case yaml.ScalarEvent():
                return _scalar(event, path)
            case yaml.MappingStartEvent():
                return self._mapping(path, event)
            case _:
                return self._sequence(path, event)

    def _mapping(self, path: Path, start: yaml.Event) -> dict[str, object]:
        _check_depth(path, start)
        members: dict[str, object] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            name = _key(event, path)
            here = (*path, name)
            if name in members:
                raise UnreadableError("this field is written twice; keep one of them", _offset(event), here)
            self.offsets[here] = _offset(event)
            members[name] = self._value(here, next(self.events))
        return members

    def _sequence(self, path: Path, start: yaml.Event) -> list[object]:
        _check_depth(path, start)
        elements: list[object] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            here = (*path, len(elements))
            self.offsets[here] = _offset(event)
            elements.append(self._value(here, event))
        return elements


def _offset(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark else 0


def _check_depth(path: Path, event: yaml.Event) -> None:
    if len(path) >= MAX_DEPTH:
        raise UnreadableError(f"more than {MAX_DEPTH} levels deep; flatten the document", _offset(event))


def _refuse_references(event: yaml.Event, path: Path) -> None:
    # A few nested aliases can stand for billions of values, and a reader of the file no longer sees
    # what a rule says where it stands.
    match event:
        case yaml.AliasEvent():
            message = f"`*{event.anchor}` is an alias; write the value out"
        case yaml.NodeEvent() if event.anchor is not None:
            message = f"`&{event.anchor}` is an anchor; write the value out wherever it is used"
        case yaml.ScalarEvent() | yaml.CollectionStartEvent() if event.tag is not None:
            message = "tags (`!…`) are not read; remove it"
        case _:
            return
    raise UnreadableError(message, _offset(event), path)


def _key(event: yaml.Event, path: Path) -> str:
    _refuse_references(event, path)
    if not isinstance(event, yaml.ScalarEvent):
        raise UnreadableError("a field name must be text, not a mapping or a list", _offset(event), path)
    if event.style is None and event.value == "<<":
        raise UnreadableError("merge keys (`<<`) are not read; write the fields out", _offset(event), path)
    name = _scalar(event, path)
    if not isinstance(name, str):
        raise UnreadableError(f"the field name `{event.value}` is not text; put it in quotes", _offset(event), path)
    return name


def _scalar(event: yaml.ScalarEvent, path: Path) -> object:
    text: str = event.value
    if SURROGATE.search(text):
        raise UnreadableError(
            "this text holds half of a surrogate pair; write the character itself", _offset(event), path
        )
    if event.style is not None:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if number := NUMBER.fullmatch(text):
        try:
            return json_number(number)
        except ValueError as error:
            raise UnreadableError(str(error), _offset(event), path) from None
    if _DISPUTED_CONSTANT.fullmatch(text):
        message = f"write `{text.lower()}` in small letters, or put `{text}` in quotes if it is meant as text"
        raise UnreadableError(message, _offset(event), path)
    if _DISPUTED_NUMBER.fullmatch(text):
        message = f"`{text[:40]}` means different numbers to different YAML parsers; write a decimal, or use quotes"
        raise UnreadableError(message, _offset(event), path)
    return text
