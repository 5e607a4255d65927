"""One opened binary as the demo server knows it: values, and looking things up in them.

Built by `listing`, changed by the tools. It knows nothing of MCP. Everything derived from the code, such
as cross references, is computed from the original symbols, so that renaming never breaks a reference.
"""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from gateway.errors import GatewayError

# A string literal, or a name that is no member of something (`request->path` leaves a variable `path` alone).
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|(?<!->)(?<!\.)\b[A-Za-z_]\w*(?:::\w+)*')
_HEX = re.compile(r"(0x)?[0-9a-fA-F]+")


class ToolError(GatewayError):
    """A call that can't be carried out. The text is what the agent is told."""


class Variable(msgspec.Struct):
    """A parameter or local of one function. `symbol` is its name in the listing, `name` the present one."""

    symbol: str
    name: str
    type: str
    storage: str
    offset: int
    """Bytes from the frame base; negative for locals."""


class Statement(msgspec.Struct, frozen=True):
    """One line of code that does something, at its own address."""

    address: int
    text: str


class Symbol(msgspec.Struct):
    """A named place. `symbol` is its name in the listing, `name` the present one."""

    symbol: str
    name: str
    address: int


class Function(Symbol):
    """One function."""

    size: int
    returns: str
    variables: list[Variable]
    lines: tuple[str, ...]
    """The body between the outer braces, as written."""
    statements: tuple[Statement, ...]

    @property
    def parameters(self) -> list[Variable]:
        """The parameters, in order."""
        return [variable for variable in self.variables if variable.storage == "parameter"]

    def variable(self, name: str) -> Variable:
        """The variable of this present name; `ToolError` when there is none."""
        for variable in self.variables:
            if variable.name == name:
                return variable
        known = ", ".join(variable.name for variable in self.variables) or "none"
        raise ToolError(f"{self.name} has no variable {name!r}; it has: {known}")


class DataVar(Symbol):
    """A typed place in memory."""

    type: str


class Import(Symbol):
    """A function that another module provides; the address is that of the stub it is called through."""

    module: str


class NamedType(msgspec.Struct):
    """A type by name. `members` maps a member to its type, or an enumerator to its value."""

    name: str
    kind: Literal["struct", "class", "enum", "typedef"]
    members: dict[str, str | int] = {}
    base: str = ""


class Section(msgspec.Struct):
    """A named stretch of memory and its bytes."""

    name: str
    start: int
    permissions: str
    content: bytearray

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.start + len(self.content)


class Reference(msgspec.Struct, frozen=True):
    """A place in the code that names another place."""

    source: int
    function: Function
    target: int
    kind: Literal["call", "data"]


class Binary(msgspec.Struct):
    """One opened binary, with the changes made to it."""

    name: str
    path: str
    base: int
    sections: list[Section]
    functions: list[Function]
    imports: list[Import]
    exports: list[str]
    """Symbols of exported functions; the first is the entry point."""
    strings: dict[int, str]
    data_vars: list[DataVar]
    types: dict[str, NamedType]
    comments: dict[int, str] = {}
    function_comments: dict[int, str] = {}
    """By the address of the function."""
    bookmarks: dict[int, str] = {}

    @property
    def renamable(self) -> list[Symbol]:
        """What can be renamed: functions and data variables."""
        return [*self.functions, *self.data_vars]

    @property
    def symbols(self) -> list[Symbol]:
        """Everything that has a name and an address."""
        return [*self.renamable, *self.imports]

    def resolve(self, address_or_name: str) -> int:
        """The mapped address that a present symbol name or a hexadecimal number means; else `ToolError`."""
        text = address_or_name.strip()
        for symbol in self.symbols:
            if symbol.name == text:
                return symbol.address
        if _HEX.fullmatch(text):
            address = int(text, 16)
            self.section_at(address)
            return address
        raise ToolError(f"no symbol or address {address_or_name!r} in {self.name}; give a name or 0x…")

    def function(self, address_or_name: str) -> Function:
        """The function of that name, or the one that contains that address; else `ToolError`."""
        address = self.resolve(address_or_name)
        found = self.function_containing(address)
        if found is None:
            raise ToolError(f"no function at {address_or_name!r} in {self.name}; get_functions lists them")
        return found

    def function_containing(self, address: int) -> Function | None:
        """The function whose bytes cover the address."""
        for function in self.functions:
            if function.address <= address < function.address + function.size:
                return function
        return None

    def section_at(self, address: int) -> Section:
        """The section that covers the address; `ToolError` when none does."""
        for section in self.sections:
            if section.start <= address < section.end:
                return section
        raise ToolError(f"{address:#x} is not mapped in {self.name}; get_sections lists what is")

    def rename(self, address_or_name: str, new_name: str) -> str:
        """Rename the function or data variable at that place; the name it had. Else `ToolError`."""
        if not new_name.strip():
            raise ToolError("new_name is empty; give the symbol a name")
        address = self.resolve(address_or_name)
        for symbol in self.renamable:
            if symbol.address == address:
                old, symbol.name = symbol.name, new_name
                return old
        raise ToolError(f"no function or data variable at {address_or_name!r} in {self.name}")

    def render(self, function: Function, text: str) -> str:
        """Code of that function under the present names."""
        names = {symbol.symbol: symbol.name for symbol in self.renamable}
        names |= {variable.symbol: variable.name for variable in function.variables}
        return _TOKEN.sub(lambda token: names.get(token[0], token[0]), text)

    def references(self) -> Iterator[Reference]:
        """Every reference in the code to a function, an import, a data variable or a string."""
        targets = {symbol.symbol: symbol.address for symbol in self.symbols}
        targets |= {f'"{text}"': address for address, text in self.strings.items()}
        for function in self.functions:
            for statement in function.statements:
                for token in _TOKEN.finditer(statement.text):
                    if token[0] in targets:
                        called = statement.text.startswith("(", token.end())
                        kind: Literal["call", "data"] = "call" if called else "data"
                        yield Reference(statement.address, function, targets[token[0]], kind)
