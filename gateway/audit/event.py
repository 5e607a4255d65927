"""The records of what the gateway does. One struct for each kind; the field `type` tells them apart.

No token, header or answer is ever part of one, and of arguments only the values that a policy has kept. `bookkeeping`
has those that the journal writes about itself; number and MAC are added to each by `chain`.
"""

import datetime
import functools

import msgspec

from gateway.audit.bookkeeping import Bookkeeping

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
    session: str = ""
    """A short keyed hash of the legacy session's id; empty outside of one."""
    client: str = ""
    """Name and version of the agent's program, as it claims."""
    arguments_hash: str = ""
    """A keyed hash of the canonical arguments: equal for equal arguments, and it tells nothing else."""
    limit_max: int | None = None
    """The most that the counter admits."""
    remaining: int | None = None
    free: bool = False
    """Whether it was allowed as a further round of another call, which spends on no limit."""
    request_bytes: int = 0
    arrival_ms: float = 0.0
    """How long before `time` the first header was read."""


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
    session: str = ""
    """Of the session that the server opened with this answer."""


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


class StartRecord(msgspec.Struct, frozen=True, tag_field="type", tag="start", omit_defaults=True):
    """The gateway begins to serve."""

    time: str
    version: str
    core: str
    servers: tuple[str, ...]
    grants: tuple[str, ...]
    """The labels of those that there are."""
    policies: dict[str, str] = {}
    """The revision of each policy."""


class StopRecord(msgspec.Struct, frozen=True, tag_field="type", tag="stop", omit_defaults=True):
    """The gateway has stopped as it should. A `start` without one before it followed a crash, or a kill."""

    time: str


AuditRecord = (
    DecisionRecord
    | OutcomeRecord
    | RefusalRecord
    | RefusalSumRecord
    | ApprovalRecord
    | PinRecord
    | ReloadRecord
    | StartRecord
    | StopRecord
)

# Nothing follows from these but what a call does, and the hurry of calls is what group commit is for.
_OF_CALLS = (OutcomeRecord, RefusalRecord, RefusalSumRecord)


def is_durable(record: AuditRecord | Bookkeeping) -> bool:
    """Whether a record has to be on the disk before anything follows from it: what people decide, a call that runs
    by their approval, and whatever changes the gateway itself.
    """
    return record.approver != "" if isinstance(record, DecisionRecord) else not isinstance(record, _OF_CALLS)


def utc_text(wall_ns: int) -> str:
    """A time as records have it: UTC, RFC 3339, microseconds, never rounded up."""
    seconds, ns = divmod(wall_ns, 1_000_000_000)
    return f"{_second_text(seconds)}.{ns // 1000:06d}Z"


def clipped(text: str) -> str:
    """`text` as a record may hold it: at most `MAX_TEXT` characters, then how many there were."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"


# Busy gateways write many records in one second.
@functools.lru_cache(maxsize=2)
def _second_text(seconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%dT%H:%M:%S}"
