"""How much one look at a value can cost by a schema: the schema's size with all of its references written out.

A few hundred bytes of references to references stand for millions of checks. `schemas.py` asks for schemas that come
from servers; it compiles nothing itself.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

# A chain of references that is longer is nothing that a person or a generator writes.
MAX_DEPTH: Final = 200


def unfolded_size(schema: Mapping[str, Any]) -> int:
    """How many objects the schema has with each `$ref` replaced by what it refers to.

    A reference back to where it stands counts once: it leads further down into the arguments, whose depth is bounded.
    Raises ValueError for a reference that is no JSON pointer into the whole schema, for an `$id` inside, from which
    pointers would start anew, and for a schema deeper than `MAX_DEPTH`.
    """
    return _Unfolding(schema).size(schema, 0)


class _Unfolding:
    """Sizes of the parts of one schema, each found once."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._sizes: dict[str, int] = {}

    def size(self, part: Any, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels, its references written out")
        match part:
            case {"$id": str(id)} if depth:
                raise ValueError(f"the part {id[:100]!r} has an `$id` of its own")
            case dict():
                members = sum(self.size(member, depth + 1) for member in part.values())
                return 1 + members + self._referred(part, depth)
            case list():
                return sum(self.size(element, depth + 1) for element in part)
            case _:
                return 0

    def _referred(self, part: dict[str, Any], depth: int) -> int:
        total = 0
        for keyword in ("$ref", "$dynamicRef"):
            reference = part.get(keyword)
            if isinstance(reference, str):
                if reference not in self._sizes:
                    self._sizes[reference] = 1
                    self._sizes[reference] = self.size(self._at(reference), depth + 1)
                total += self._sizes[reference]
        return total

    def _at(self, reference: str) -> Any:
        start, *pointer = unquote(reference).split("/")
        if start != "#":
            raise ValueError(f"the reference {reference[:100]!r} is no JSON pointer, such as `#/$defs/name`")
        part: Any = self._schema
        for step in (written.replace("~1", "/").replace("~0", "~") for written in pointer):
            if isinstance(part, list) and step.isdecimal() and int(step) < len(part):
                part = part[int(step)]
            elif isinstance(part, dict) and step in part:
                part = part[step]
            else:
                raise ValueError(f"the reference {reference[:100]!r} leads nowhere")
        return part
