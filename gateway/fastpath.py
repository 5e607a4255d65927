"""The core that everyone uses: the compiled one, or the plain one where that was asked for in the open.

It only chooses. A missing extension stops the start, because running slowly by accident is a fault too.
"""

import os
from typing import TYPE_CHECKING, Protocol

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from gateway import _fastpath as core
    from gateway import _matching as matching
    from gateway import _scan as scanner
elif os.environ.get("GATEWAY_NO_EXTENSIONS") == "1":
    from gateway import _fastpath_py as core
    from gateway import _matching_py as matching
    from gateway import _scan_py as scanner
else:
    try:
        from gateway import _fastpath as core
        from gateway import _matching as matching
        from gateway import _scan as scanner
    except ImportError as error:
        raise GatewayError(
            "The compiled core (gateway._fastpath, _matching, _scan) is missing or was built for another "
            "Python. Build it with `make build`, install the package where there is a C compiler, or set "
            "GATEWAY_NO_EXTENSIONS=1 to run the slower one in plain Python."
        ) from error

IMPLEMENTATION = "cython" if core.__name__ == "gateway._fastpath" else "python"

EQ = matching.EQ
NEQ = matching.NEQ
LT = matching.LT
LTE = matching.LTE
GT = matching.GT
GTE = matching.GTE
IN = matching.IN
NOT_IN = matching.NOT_IN
EXISTS = matching.EXISTS
REGEX = matching.REGEX
CONTAINS = matching.CONTAINS

HOLDS = matching.HOLDS
FAILS = matching.FAILS
MISTYPED = matching.MISTYPED

EACH = matching.EACH

SLIDING_WINDOW = core.SLIDING_WINDOW
FIXED_WINDOW = core.FIXED_WINDOW
TOKEN_BUCKET = core.TOKEN_BUCKET

ALLOW = core.ALLOW
REQUIRE = core.REQUIRE
DENY_IF = core.DENY_IF
INVALID = core.INVALID
APPROVE_IF = core.APPROVE_IF
BAD_COST = core.BAD_COST
NEVER_FITS = core.NEVER_FITS
UNBOUND = core.UNBOUND
THROTTLE = core.THROTTLE

SCAN_OK = scanner.SCAN_OK
TOO_DEEP = scanner.TOO_DEEP
INTEGER_TOO_LARGE = scanner.INTEGER_TOO_LARGE
MAX_DEPTH = scanner.MAX_DEPTH

Step = matching.Step
Condition = matching.Condition
Rule = matching.Rule
Limit = core.Limit
Program = core.Program
Words = core.Words
Slots = core.Slots
Spend = core.Spend
Receipt = core.Receipt

decide = core.decide
rollback = core.rollback
remaining = core.remaining
block_length = core.block_length
matches_glob = matching.matches_glob
scan = scanner.scan
count_members = scanner.count_members


class Pattern(Protocol):
    """What a REGEX condition needs: a compiled expression of a linear-time engine."""

    def is_valid(self, instance: object, /) -> bool:
        """Whether the expression is found anywhere in the text."""
        ...
