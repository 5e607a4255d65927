"""Documents: text read strictly into plain data that remembers its places.

Pure: reading files is the caller's. Used by `config`, `policy` and `cli`; message bodies never come here.
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Literal, assert_never

import msgspec

from gateway.errors import DocumentError, Problem
from gateway.reading.json_text import read_json
from gateway.reading.outcome import Fault, Path, Reading, UnreadableError
from gateway.reading.toml_text import read_toml
from gateway.reading.yaml_text import read_yaml

Format = Literal["json", "yaml", "toml"]

MAX_CHARACTERS = 4 * 1024 * 1024
_SUFFIXES: dict[str, Format] = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}


class Carried(msgspec.Struct, frozen=True):
    """A value of a document's other form, and the part of the document that it was made from."""

    value: object
    """Plain data, in which there may be more of these."""
    origin: Path


class Document(msgspec.Struct, frozen=True):
    """Plain data, and where each part of it was written. A part of a document is a document as well."""

    value: object
    source: str
    """The name a person knows the text by, usually the path of a file."""
    text: str = ""
    offsets: dict[Path, int] = {}
    prefix: Path = ()
    """The path from the root of the text to `value`, or to what it was made from."""
    origins: dict[Path, Path] = {}
    """For a form that was made from a document: the paths at which its parts stand there."""

    def __repr__(self) -> str:
        # The text may hold credentials: it must not reach a log by way of a repr.
        return f"Document({self.place()!r})"

    def at(self, *path: str | int) -> "Document":
        """The part at `path`, which must exist; its places still count from the root of the text.

        For a document as it was read; another form of one has no parts of its own.
        """
        value = self.value
        for step in path:
            value = value[step]  # type: ignore[index]
        return msgspec.structs.replace(self, value=value, prefix=(*self.prefix, *path))

    def rewritten(self, form: Carried) -> "Document":
        """The same text in another form. A mistake in it has the place of what that part was made from."""
        origins: dict[Path, Path] = {}
        value = _settled(form, (), origins)
        composed = {path: self.origin(origin) for path, origin in origins.items()}
        return msgspec.structs.replace(self, value=value, origins=composed)

    def origin(self, path: Path) -> Path:
        """Where the part at `path` stood before the document was rewritten; of what was made with others, theirs."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.origins:
                return (*self.origins[path[:length]], *path[length:])
        return path

    def parts(self) -> dict[Path, object]:
        """Every part by its path from here, the whole first, in the order of the text."""
        return dict(_parts((), self.value))

    def place(self, path: Path = ()) -> str:
        """`FILE:LINE:COLUMN: /json/pointer` of the part at `path`, counted from 1; for the root no pointer.

        A part that does not exist has the line of the innermost one around it that does. TOML has no lines.
        """
        return _place(self.source, self.text, self._offset(path), self._written(path))

    def problem(self, path: Path, message: str) -> Problem:
        """A mistake in the part at `path`."""
        return Problem(place=self.place(path), message=message)

    def problems(self, faults: Iterable[Fault]) -> list[Problem]:
        """Mistakes in several parts, in the order of the text; in the order given where that is not known."""
        ordered = sorted(faults, key=lambda fault: self._offset(fault[0]) or 0)
        return [self.problem(path, message) for path, message in ordered]

    def _written(self, path: Path) -> Path:
        return (*self.prefix, *self.origin(path))

    def _offset(self, path: Path) -> int | None:
        if not self.offsets:
            return None
        whole = self._written(path)
        known = (whole[:length] for length in range(len(whole), 0, -1) if whole[:length] in self.offsets)
        return self.offsets.get(next(known, ()), 0)


def format_of(name: str) -> Format:
    """The format that a file's suffix stands for; raises DocumentError for any other suffix."""
    suffix = PurePath(name).suffix.lower()
    if suffix not in _SUFFIXES:
        raise DocumentError([Problem(place=name, message=f"the name must end in {', '.join(_SUFFIXES)}")])
    return _SUFFIXES[suffix]


def read_document(text: str, source: str, format: Format) -> Document:
    """Read `text` strictly: at most 4 Mi characters, not empty, duplicate fields refused, keys are text.

    Raises DocumentError with the one mistake at which reading stopped.
    """
    try:
        reading = _read(text, format)
    except UnreadableError as error:
        place = _place(source, text, error.offset, error.path)
        raise DocumentError([Problem(place=place, message=str(error))]) from None
    return Document(value=reading.value, source=source, text=text, offsets=reading.offsets)


def _read(text: str, format: Format) -> Reading:
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"larger than {MAX_CHARACTERS} characters; split the document")
    if text.startswith("\ufeff"):
        raise UnreadableError("begins with a byte order mark; save the file as UTF-8 without it", 0)
    if not text.strip():
        raise UnreadableError("the document is empty")
    match format:
        case "json":
            return read_json(text)
        case "yaml":
            return _not_empty(read_yaml(text))
        case "toml":
            return _not_empty(read_toml(text))
        case _:
            assert_never(format)


def _not_empty(reading: Reading) -> Reading:
    """YAML reads a file of comments as null, TOML as an empty table."""
    if reading.value is None or reading.value == {}:
        raise UnreadableError("the document is empty")
    return reading


def _settled(value: object, path: Path, origins: dict[Path, Path]) -> object:
    """The plain data of a form; `origins` takes the origin of each part that was carried."""
    match value:
        case Carried():
            origins[path] = value.origin
            return _settled(value.value, path, origins)
        case dict():
            return {name: _settled(member, (*path, name), origins) for name, member in value.items()}
        case list():
            return [_settled(element, (*path, index), origins) for index, element in enumerate(value)]
        case _:
            return value


def _parts(path: Path, value: object) -> Iterator[tuple[Path, object]]:
    yield path, value
    match value:
        case dict():
            for name, member in value.items():
                yield from _parts((*path, name), member)
        case list():
            for index, element in enumerate(value):
                yield from _parts((*path, index), element)


def _place(source: str, text: str, offset: int | None, path: Path) -> str:
    if offset is not None:
        line = text.count("\n", 0, offset) + 1
        source = f"{source}:{line}:{offset - text.rfind(chr(10), 0, offset)}"
    pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return f"{source}: {pointer}" if pointer else source
