"""The lines of the audit journal. One struct for each kind; the field `type` tells them apart.

No token, header or answer is ever part of one, and of arguments only the values that a policy has kept.
"""

import msgspec

MAX_TEXT = 256
MAX_KEYS = 64
MAX_KEPT_BYTES = 4096


class DecisionRecord(msgspec.Struct, frozen=True, tag="decision", tag_field="type", omit_defaults=True):
    """What was decided on one exchange. Written before anything is forwarded."""

    id: str
    time: str
    """UTC, RFC 3339, microseconds."""
    server: str
    grant: str
    peer: str
    method: str
    """The JSON-RPC method; for a message without one, the HTTP method."""
    verdict: str
    rule: str
    policy: str = ""
    revision: str = ""
    target: str = ""
    """The tool, prompt, resource or task that was asked for."""
    argument_keys: tuple[str, ...] = ()
    """Names of the top-level arguments, sorted; beyond `MAX_KEYS` only how many there are."""
    message: str = ""
    limit: str = ""
    """The counter that refused."""
    retry_after_ms: int | None = None
    decide_us: float = 0.0
    """From the message being parsed to the decision, without the time that the call was held open."""
    approval: str = ""
    """The approval that the call waits for, was refused by, or has used up."""
    approver: str = ""
    """Who approved or denied it."""
    shadow: dict[str, str] = {}
    """What rules and limits in shadow mode would have decided, by their names."""
    kept: dict[str, object] = {}
    """Values of arguments, by the paths that the policy keeps (`audit.keep`): null where one is missing, no entry
    where one cannot be reached or takes more than `MAX_KEPT_BYTES`."""


class OutcomeRecord(msgspec.Struct, frozen=True, tag="outcome", tag_field="type", omit_defaults=True):
    """What became of an exchange that was forwarded. Joined to its decision by `id`."""

    id: str
    time: str
    outcome: str
    """`completed`, `failed`, `cancelled` (by a modern agent) or `abandoned` (by a legacy one)."""
    upstream_status: int = 0
    """0 when the server gave none."""
    answer_bytes: int = 0
    upstream_ms: float = 0.0
    """From the request being forwarded to the end of the answer."""
    total_ms: float = 0.0
    rule: str = ""
    """For a failure: which, such as `(upstream down)`."""
    rolled_back: bool = False
    """Whether what the call had spent was given back."""


class RefusalRecord(msgspec.Struct, frozen=True, tag_field="type", tag="refusal", omit_defaults=True):
    """A request refused before there was a message to decide on: malformed, unauthenticated, misaddressed."""

    id: str
    time: str
    server: str
    grant: str
    """Empty where no grant was known."""
    peer: str
    status: int
    reason: str
    """A short label from a closed set."""
    message: str


class RefusalSumRecord(msgspec.Struct, frozen=True, tag_field="type", tag="refusals", omit_defaults=True):
    """Refusals beyond what is told one by one in a minute, for one peer and reason."""

    time: str
    """When they were summed."""
    peer: str
    """`others` for peers that were too many to tell apart."""
    reason: str
    count: int


class ApprovalRecord(msgspec.Struct, frozen=True, tag_field="type", tag="approval", omit_defaults=True):
    """A person was asked to approve a call, and what came of it. That the call then ran is in its own decision."""

    id: str
    """The approval's own; the records of its calls name it as `approval`."""
    time: str
    event: str
    """`asked`, `approved`, `denied` or `expired`."""
    server: str
    grant: str
    target: str
    rule: str
    policy: str
    revision: str
    exchange: str
    """The `id` of the decision that asked."""
    expires: str
    call_sha256: str
    """Of all that the approval is bound to: grant, server, tool, canonical arguments and revision."""
    decided: str = ""
    """When the approver did."""
    approver: str = ""
    reason: str = ""


class PinRecord(msgspec.Struct, frozen=True, tag_field="type", tag="pin", omit_defaults=True):
    """A tool that a server lists otherwise than it was pinned. Written once for each definition."""

    time: str
    server: str
    tool: str
    change: str
    """`changed` or `new`."""
    handling: str
    """`hide`, `flag` or `allow`: what becomes of the tool."""


class ReloadRecord(msgspec.Struct, frozen=True, tag_field="type", tag="reload", omit_defaults=True):
    """A configuration that was read while the gateway ran. Calls recorded after an applied one are judged by it."""

    time: str
    cause: str
    """`signal` or `change`."""
    result: str
    """`applied`, or `refused` where the configuration before it stays in force."""
    revision: str
    """Of the configuration that is in force now."""
    policies: dict[str, str] = {}
    """The revision of each policy that is in force now."""
    revoked: tuple[str, ...] = ()
    """The grants that are no more, or no longer with the token or on the server that they had."""
    problems: tuple[str, ...] = ()
    """Why it was refused."""


AuditRecord = (
    DecisionRecord | OutcomeRecord | RefusalRecord | RefusalSumRecord | ApprovalRecord | PinRecord | ReloadRecord
)


def clipped(text: str) -> str:
    """`text` as a record may hold it: at most `MAX_TEXT` characters, then how many there were."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"
