"""Reads JSON strictly and remembers places. Called by `gateway.documents`; never reads message bodies.

Stricter than RFC 8259 where parsers are known to disagree: no duplicate keys, no lone surrogates, no
number beyond 64 bits, bounded depth.
"""

import json
import math
import re

from gateway.reading.outcome import MAX_DEPTH, Path, Reading, UnreadableError, checked_integer

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_SPACE = re.compile(r"[^ \t\r\n]")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_WORD = re.compile(r"[A-Za-z0-9_+.-]+")
_CONSTANTS: dict[str, object] = {"true": True, "false": False, "null": None}


def read_json(text: str) -> Reading:
    """Read one JSON document; raises UnreadableError at the first character that is not part of it."""
    reader = _Reader(text)
    value = reader.value((), reader.skip_space(0))
    end = reader.skip_space(reader.offset)
    if end != len(text):
        raise UnreadableError("there is text after the end of the document; remove it", end)
    return Reading(value, reader.offsets)


def json_number(match: re.Match[str]) -> int | float:
    """The number that `NUMBER` matched; ValueError where it is too large for every parser to agree on."""
    if match[1] is None and match[2] is None:
        return checked_integer(match[0])
    number = float(match[0])
    if math.isinf(number):
        raise ValueError("this number is too large; write a smaller one")
    return number


class _Reader:
    """One pass over one text. `offset` is where the value read last ended."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0
        self.offsets: dict[Path, int] = {}

    def skip_space(self, offset: int) -> int:
        match = _NOT_SPACE.search(self.text, offset)
        return match.start() if match else len(self.text)

    def value(self, path: Path, offset: int) -> object:
        match self.text[offset : offset + 1]:
            case "{":
                return self._members(path, offset)
            case "[":
                return self._elements(path, offset)
            case '"':
                return self._string(offset)
            case _:
                return self._scalar(offset)

    def _members(self, path: Path, start: int) -> dict[str, object]:
        _check_depth(path, start)
        members: dict[str, object] = {}
        offset = self.skip_space(start + 1)
        if self.text[offset : offset + 1] == "}":
            self.offset = offset + 1
            return members
        while True:
            if self.text[offset : offset + 1] != '"':
                raise UnreadableError("expected a field name in double quotes", offset)
            name = self._string(offset)
            here = (*path, name)
            if name in members:
                raise UnreadableError("this field is written twice; keep one of them", offset, here)
            self.offsets[here] = offset
            offset = self.skip_space(self.offset)
            if self.text[offset : offset + 1] != ":":
                raise UnreadableError("expected `:` after the field name", offset, here)
            members[name] = self.value(here, self.skip_space(offset + 1))
            if (offset := self._next("}", start)) < 0:
                return members

    def _elements(self, path: Path, start: int) -> list[object]:
        _check_depth(path, start)
        elements: list[object] = []
        offset = self.skip_space(start + 1)
        if self.text[offset : offset + 1] == "]":
            self.offset = offset + 1
            return elements
        while True:
            here = (*path, len(elements))
            self.offsets[here] = offset
            elements.append(self.value(here, offset))
            if (offset := self._next("]", start)) < 0:
                return elements

    def _next(self, closing: str, start: int) -> int:
        """Step over what follows a member or an element: where the next one begins, or -1 at the end."""
        offset = self.skip_space(self.offset)
        character = self.text[offset : offset + 1]
        if character == closing:
            self.offset = offset + 1
            return -1
        if character != ",":
            found = f"`{character}`" if character else "the end of the text"
            opening = self.text[start]
            raise UnreadableError(f"expected `,` or the `{closing}` that closes `{opening}`, found {found}", offset)
        following = self.skip_space(offset + 1)
        if self.text[following : following + 1] == closing:
            raise UnreadableError(f"remove this comma: nothing follows it before `{closing}`", offset)
        return following

    def _string(self, offset: int) -> str:
        match = _STRING.match(self.text, offset)
        if match is None:
            raise UnreadableError(
                "this text is not closed, or holds a line break, a control character or an unknown escape",
                offset,
            )
        self.offset = match.end()
        string: str = json.loads(match[0]) if "\\" in match[0] else match[0][1:-1]
        if SURROGATE.search(string):
            raise UnreadableError("this text holds half of a surrogate pair; write both halves, or neither", offset)
        return string

    def _scalar(self, offset: int) -> object:
        match = _WORD.match(self.text, offset)
        if match is None:
            found = self.text[offset : offset + 1]
            raise UnreadableError(f"expected a value, found {f'`{found}`' if found else 'the end of the text'}", offset)
        self.offset = match.end()
        if match[0] in _CONSTANTS:
            return _CONSTANTS[match[0]]
        if number := NUMBER.fullmatch(match[0]):
            try:
                return json_number(number)
            except ValueError as error:
                raise UnreadableError(str(error), offset) from None
        raise UnreadableError(
            f"`{match[0][:40]}` is not a JSON value; if it is meant as text, put it in quotes", offset
        )


def _check_depth(path: Path, offset: int) -> None:
    if len(path) >= MAX_DEPTH:
        raise UnreadableError(f"more than {MAX_DEPTH} levels deep; flatten the document", offset)
