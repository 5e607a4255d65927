"""Makes a `Binary` from a built-in C listing: parses the code, lays it out in memory, invents the bytes.

Deterministic: the same listing always gives the same addresses and bytes. `desk` calls it.
"""

import copy
import functools
import hashlib
import re
from importlib.resources import files
from typing import Literal

import msgspec

from gateway.demo.model import Binary, DataVar, Function, Import, NamedType, Section, Statement, Variable

BUILT_IN = ("crackme.bin", "httpd.bin")

PROLOGUE_BYTES = 4
STATEMENT_BYTES = 12
_STUB_BYTES = 16
_SECTION_OFFSETS = {".plt": 0x1000, ".text": 0x2000, ".rodata": 0x5000, ".data": 0x6000}
_TYPE_BYTES = {"char": 1, "int64_t": 8}

_HEADER = re.compile(r"(?P<returns>.+?[ *])(?P<name>[\w:]+)\((?P<parameters>.*)\)")
_LOCAL = re.compile(r"\s+(?!return\b)(?P<type>[\w:]+\*?) (?P<name>\w+)(?P<array>\[\d+\])?(?: =.*)?;")
_LITERAL = re.compile(r'"((?:\\.|[^"\\])*)"')


class _TypeEntry(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["struct", "class", "enum", "typedef"]
    members: dict[str, str | int] = {}
    base: str = ""


class _Listing(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    base: int
    imports: dict[str, list[str]]
    exports: list[str]
    types: dict[str, _TypeEntry]
    data: dict[str, str]
    code: str


def fresh_binary(name: str) -> Binary:
    """A copy of a built-in binary of its own, without any change made to it. `name` is one of `BUILT_IN`."""
    return copy.deepcopy(_built_in(name))


@functools.cache
def _built_in(name: str) -> Binary:
    source = files("gateway.demo").joinpath(name.replace(".bin", ".yaml")).read_bytes()
    listing = msgspec.yaml.decode(source, type=_Listing)
    start = {section: listing.base + offset for section, offset in _SECTION_OFFSETS.items()}
    functions = _parse_functions(listing.code, start[".text"])
    imports = _place_imports(listing.imports, start[".plt"])
    strings, rodata = _place_strings(listing.code, start[".rodata"])
    data_vars, data_bytes = _place_data(listing, start[".data"])
    text = b"".join(_code_bytes(function) for function in functions)
    stubs = b"".join(_noise(entry.name, _STUB_BYTES, head=b"\xff\x25") for entry in imports)
    return Binary(
        name=listing.name,
        path=f"/samples/{listing.name}",
        base=listing.base,
        sections=[
            Section(".plt", start[".plt"], "r-x", bytearray(stubs)),
            Section(".text", start[".text"], "r-x", bytearray(text)),
            Section(".rodata", start[".rodata"], "r--", bytearray(rodata)),
            Section(".data", start[".data"], "rw-", bytearray(data_bytes)),
        ],
        functions=functions,
        imports=imports,
        exports=listing.exports,
        strings=strings,
        data_vars=data_vars,
        types={name: NamedType(name, t.kind, t.members, t.base) for name, t in listing.types.items()},
    )


def _parse_functions(code: str, address: int) -> list[Function]:
    functions = []
    for chunk in code.split("\n}\n"):
        if chunk.strip():
            function = _parse_function(chunk, address)
            functions.append(function)
            address += function.size
    return functions


def _parse_function(chunk: str, address: int) -> Function:
    header, _, *lines = chunk.strip("\n").split("\n")
    match = _HEADER.fullmatch(header)
    if match is None:
        raise ValueError(f"not the head of a function: {header!r}")
    texts = [line.strip() for line in lines if line.strip() not in {"{", "}", "else"}]
    first = address + PROLOGUE_BYTES
    used_bytes = PROLOGUE_BYTES + STATEMENT_BYTES * len(texts)
    return Function(
        symbol=match["name"],
        name=match["name"],
        address=address,
        size=used_bytes + -used_bytes % 16,
        returns=match["returns"].strip(),
        variables=[*_parse_parameters(match["parameters"]), *_parse_locals(lines)],
        lines=tuple(lines),
        statements=tuple(Statement(first + STATEMENT_BYTES * i, text) for i, text in enumerate(texts)),
    )


def _parse_parameters(text: str) -> list[Variable]:
    parts = [part.rpartition(" ") for part in text.split(", ") if part]
    return [Variable(name, name, type_, "parameter", 16 + 8 * i) for i, (type_, _, name) in enumerate(parts)]


def _parse_locals(lines: list[str]) -> list[Variable]:
    variables, offset = [], 0
    for match in filter(None, map(_LOCAL.fullmatch, lines)):
        type_ = match["type"] + (match["array"] or "")
        offset -= _type_bytes(type_, {})
        variables.append(Variable(match["name"], match["name"], type_, "stack", offset))
    return variables


def _type_bytes(type_: str, types: dict[str, _TypeEntry]) -> int:
    element, _, count = type_.rstrip("]").partition("[")
    if count:
        return _type_bytes(element, types) * int(count)
    if element in types and types[element].kind in {"struct", "class"}:
        return sum(_type_bytes(str(member), types) for member in types[element].members.values())
    return 8 if element.endswith("*") else _TYPE_BYTES.get(element, 4)


def _place_imports(modules: dict[str, list[str]], address: int) -> list[Import]:
    pairs = [(name, module) for module, names in modules.items() for name in names]
    return [Import(name, name, address + _STUB_BYTES * i, module) for i, (name, module) in enumerate(pairs)]


def _place_strings(code: str, address: int) -> tuple[dict[int, str], bytes]:
    strings, content = {}, b""
    for text in dict.fromkeys(_LITERAL.findall(code)):
        strings[address + len(content)] = text
        content += text.encode().decode("unicode_escape").encode() + b"\0"
    return strings, content


def _place_data(listing: _Listing, address: int) -> tuple[list[DataVar], bytes]:
    data_vars, content = [], b""
    for name, type_ in listing.data.items():
        data_vars.append(DataVar(name, name, address + len(content), type_))
        content += bytes(_type_bytes(type_, listing.types) + 15 & ~15)
    return data_vars, content


def _code_bytes(function: Function) -> bytes:
    """`push rbp; mov rbp, rsp`, something, `leave; ret`: enough to search, sign and patch."""
    return _noise(function.symbol, function.size - 2, head=b"\x55\x48\x89\xe5") + b"\xc9\xc3"


def _noise(seed: str, size: int, head: bytes) -> bytes:
    return (head + hashlib.shake_128(seed.encode()).digest(size))[:size]
