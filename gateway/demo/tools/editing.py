"""Tools that change names, notes, variables and types. What they change stays in the session's binary."""

import msgspec

from gateway.demo.desk import Desk
from gateway.demo.model import Binary, DataVar, NamedType, ToolError, Variable


class _Rename(msgspec.Struct):
    address_or_name: str
    new_name: str


def rename_symbol(desk: Desk, filename: str, address_or_name: str, new_name: str) -> str:
    """Rename one function or data variable."""
    old = desk.binary(filename).rename(address_or_name, new_name)
    return f"Renamed {old} to {new_name}"


def batch_rename(desk: Desk, filename: str, renames: list[object]) -> dict[str, object]:
    """Rename many symbols; each entry has `address_or_name` and `new_name`. One that fails stops no other."""
    binary = desk.binary(filename)
    results: list[dict[str, object]] = []
    for entry in renames:
        try:
            wanted = msgspec.convert(entry, _Rename)
            old = binary.rename(wanted.address_or_name, wanted.new_name)
            results.append({"old_name": old, "new_name": wanted.new_name, "renamed": True})
        except (ToolError, msgspec.ValidationError) as error:
            results.append({"entry": entry, "renamed": False, "error": str(error)})
    done = sum(bool(row["renamed"]) for row in results)
    return {"total": len(results), "renamed": done, "failed": len(results) - done, "results": results}


def create_data_var(desk: Desk, filename: str, address: str, var_type: str, name: str | None) -> str:
    """Define a data variable, or define one anew."""
    binary = desk.binary(filename)
    at = binary.resolve(address)
    name = name or f"data_{at:x}"
    for data_var in binary.data_vars:
        if data_var.address == at:
            data_var.type, data_var.name = var_type, name
            break
    else:
        binary.data_vars.append(DataVar(name, name, at, var_type))
    return f"Created {var_type} {name} at {at:#x}"


def comments(desk: Desk, filename: str, action: str, address: str, text: str, function_name_or_address: str) -> object:
    """List, read, set or remove comments."""
    binary = desk.binary(filename)
    match action:
        case "list":
            notes = sorted([*binary.function_comments.items(), *binary.comments.items()])
            return [{"address": hex(at), "comment": note} for at, note in notes]
        case "get":
            at = binary.resolve(address)
            return {"address": hex(at), "comment": binary.comments.get(at)}
        case "set":
            at = binary.resolve(address)
            binary.comments[at] = text
            return f"Comment set at {at:#x}"
        case "set_function":
            function = binary.function(function_name_or_address)
            binary.function_comments[function.address] = text
            return f"Comment set on {function.name}"
        case "remove":
            at = binary.resolve(address)
            removed = binary.comments.pop(at, None)
            return f"Comment removed at {at:#x}" if removed is not None else f"No comment at {at:#x}"
        case _:
            raise ToolError(f"unknown action {action!r}; use list, get, set, set_function or remove")


def bookmarks(desk: Desk, filename: str, action: str, address: str | None, comment: str | None) -> str:
    """List, set or remove bookmarks. As with the real tool, a wrong action is no error."""
    binary = desk.binary(filename)
    if action == "list":
        rows = [f"{at:#x}: {note}" for at, note in sorted(binary.bookmarks.items())]
        return "\n".join(rows) or "No bookmarks"
    if action not in {"set", "remove"}:
        return f"Error: unknown action {action!r}; use list, set or remove"
    if address is None:
        return f"Error: address is required to {action} a bookmark"
    at = binary.resolve(address)
    if action == "set":
        binary.bookmarks[at] = comment or ""
        return f"Bookmark set at {at:#x}"
    removed = binary.bookmarks.pop(at, None)
    return f"Bookmark removed at {at:#x}" if removed is not None else f"No bookmark at {at:#x}"


def variables(
    desk: Desk,
    filename: str,
    action: str,
    function_name_or_address: str,
    var_name: str,
    var_type: str,
    new_name: str,
    storage: str,
    scope: str,
    address_or_name: str,
) -> object:
    """List, create, rename or retype the variables of a function; rename data symbols too."""
    binary = desk.binary(filename)
    if action == "rename" and (scope == "global" or not function_name_or_address):
        return f"Renamed {binary.rename(address_or_name or var_name, new_name)} to {new_name}"
    function = binary.function(function_name_or_address)
    match action:
        case "list":
            return [
                {"name": v.name, "type": v.type, "storage": v.storage, "offset": v.offset} for v in function.variables
            ]
        case "create":
            kind = "stack" if storage == "auto" else storage
            lowest = min((v.offset for v in function.variables), default=0)
            function.variables.append(Variable(var_name, var_name, var_type, kind, min(lowest, 0) - 8))
            return f"Created {var_type} {var_name} in {function.name}"
        case "rename":
            function.variable(var_name).name = new_name
            return f"Renamed {var_name} to {new_name} in {function.name}"
        case "set_type":
            function.variable(var_name).type = var_type
            return f"{var_name} in {function.name} is now {var_type}"
        case _:
            raise ToolError(f"unknown action {action!r}; use list, create, rename or set_type")


def types(
    desk: Desk,
    filename: str,
    action: str,
    name: str,
    definition: str,
    size: int,
    members: dict[str, str | int] | None,
    base_type: str,
    class_name: str,
    member_name: str,
    member_type: str,
    offset: int,
) -> object:
    """List, inspect or create types."""
    binary = desk.binary(filename)
    match action:
        case "list":
            return [{"name": t.name, "kind": t.kind} for t in binary.types.values()]
        case "info":
            found = _type(binary, name)
            return {"name": found.name, "kind": found.kind, "members": found.members, "base": found.base}
        case "create":
            return _define(binary, NamedType(name, "typedef", base=definition))
        case "create_typedef":
            return _define(binary, NamedType(name, "typedef", base=base_type))
        case "create_enum":
            return _define(binary, NamedType(name, "enum", members or {}))
        case "create_class":
            return _define(binary, NamedType(class_name or name, "class", members or {}))
        case "add_member":
            found = _type(binary, class_name or name)
            found.members = {**found.members, member_name: member_type}
            return f"Added {member_type} {member_name} to {found.name} at offset {offset}"
        case _:
            known = "list, info, create, create_class, create_enum, create_typedef or add_member"
            raise ToolError(f"unknown action {action!r}; use {known}")


def _define(binary: Binary, named: NamedType) -> str:
    if not named.name:
        raise ToolError("name is empty; give the type a name")
    binary.types[named.name] = named
    return f"Created {named.kind} {named.name}"


def _type(binary: Binary, name: str) -> NamedType:
    if name not in binary.types:
        raise ToolError(f"no type {name!r} in {binary.name}; action list shows them")
    return binary.types[name]


TOOLS = {
    tool.__name__: tool
    for tool in (rename_symbol, batch_rename, create_data_var, comments, bookmarks, variables, types)
}
