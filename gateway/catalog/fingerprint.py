"""The fingerprint of a tool's definition: what is pinned, so that a tool that changes afterwards is noticed.

`gateway pin` records them, and the proxy compares them with every list that passes.
"""

import hashlib
from typing import Any, Final

import orjson

# What accompanies a definition without being part of it (2025-11-25 basic/index, "_meta").
_APART: Final = "_meta"


def fingerprint(entry: dict[str, Any]) -> str:
    """SHA-256 in hex of an entry of `tools/list`: its description, schemas, annotations and whatever else it says.

    The same for every order of members. `entry` is JSON that was read strictly.
    """
    definition = {name: value for name, value in entry.items() if name != _APART}
    return hashlib.sha256(orjson.dumps(definition, option=orjson.OPT_SORT_KEYS)).hexdigest()
