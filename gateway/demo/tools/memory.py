"""Tools on raw bytes: reading, searching, patching, assembling."""

import re

from gateway.demo.desk import Desk
from gateway.demo.model import Binary, ToolError

DEFAULT_READ_BYTES = 16

# A few instructions are enough to try a patch.
_OPCODES = {
    "nop": b"\x90",
    "ret": b"\xc3",
    "int3": b"\xcc",
    "leave": b"\xc9",
    "push rbp": b"\x55",
    "pop rbp": b"\x5d",
    "xor eax, eax": b"\x31\xc0",
    "mov eax, 1": b"\xb8\x01\x00\x00\x00",
}


def get_data_at(desk: Desk, filename: str, address: str, size: int | None) -> dict[str, object]:
    """Bytes at an address, also read as a number and as text."""
    binary = desk.binary(filename)
    start = binary.resolve(address)
    content = _read(binary, start, DEFAULT_READ_BYTES if size is None else size)
    return {
        "address": hex(start),
        "size": len(content),
        "hex": content.hex(" "),
        "integer": int.from_bytes(content[:8], "little"),
        "text": "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in content),
    }


def search_bytes(desk: Desk, filename: str, pattern: str, start_address: str, max_results: int) -> list[dict[str, str]]:
    """Addresses where a pattern such as `55 48 ?? e5` occurs."""
    binary = desk.binary(filename)
    first = binary.resolve(start_address) if start_address else binary.base
    wanted = _compile_pattern(pattern)
    hits = (
        section.start + match.start()
        for section in binary.sections
        for match in wanted.finditer(bytes(section.content))
    )
    return [{"address": hex(hit)} for hit in hits if hit >= first][: max(max_results, 0)]


def _compile_pattern(pattern: str) -> re.Pattern[bytes]:
    digits = pattern.replace(" ", "")
    pairs = [digits[i : i + 2] for i in range(0, len(digits), 2)]
    if not pairs or not all(re.fullmatch(r"\?\?|[0-9a-fA-F]{2}", pair) for pair in pairs):
        raise ToolError(f"{pattern!r} is not a pattern of bytes; write it like '55 48 ?? e5'")
    parts = (b"." if pair == "??" else re.escape(bytes.fromhex(pair)) for pair in pairs)
    return re.compile(b"".join(parts), re.DOTALL)


def patch_bytes(
    desk: Desk, filename: str, address: str, bytes: str | list[int], clear_code_units: bool
) -> dict[str, object]:
    """Overwrite bytes, given as hexadecimal text or as numbers."""
    binary = desk.binary(filename)
    start = binary.resolve(address)
    content = _parse_bytes(bytes)
    old = _write(binary, start, content)
    return {
        "address": hex(start),
        "old": old.hex(" "),
        "new": content.hex(" "),
        "cleared_code_units": clear_code_units,
    }


def _parse_bytes(given: str | list[int]) -> bytes:
    try:
        return bytes.fromhex(given) if isinstance(given, str) else bytes(given)
    except ValueError as error:
        raise ToolError(f"bytes must be hexadecimal text like '90 90' or numbers from 0 to 255: {error}") from error


def assemble_code(
    desk: Desk, filename: str, address: str, code: str, patch: bool, clear_code_units: bool
) -> dict[str, object]:
    """Assemble instructions, one a line or separated by `;`, and write them unless `patch` is false."""
    binary = desk.binary(filename)
    start = binary.resolve(address)
    content = b"".join(_assemble(line) for line in re.split(r"[;\n]", code) if line.strip())
    if patch:
        _write(binary, start, content)
    return {
        "address": hex(start),
        "bytes": content.hex(" "),
        "patched": patch,
        "cleared_code_units": clear_code_units,
    }


def _assemble(line: str) -> bytes:
    instruction = " ".join(line.lower().split())
    if instruction not in _OPCODES:
        raise ToolError(f"can't assemble {line.strip()!r}; the demo knows {', '.join(_OPCODES)}")
    return _OPCODES[instruction]


def _read(binary: Binary, start: int, size: int) -> bytes:
    section = binary.section_at(start)
    if size < 1:
        raise ToolError("size must be at least 1")
    first = start - section.start
    return bytes(section.content[first : first + size])


def _write(binary: Binary, start: int, content: bytes) -> bytes:
    section = binary.section_at(start)
    if start + len(content) > section.end:
        raise ToolError(f"{len(content)} bytes at {start:#x} run past the end of {section.name}")
    first = start - section.start
    old = bytes(section.content[first : first + len(content)])
    section.content[first : first + len(content)] = content
    return old


TOOLS = {tool.__name__: tool for tool in (get_data_at, search_bytes, patch_bytes, assemble_code)}
