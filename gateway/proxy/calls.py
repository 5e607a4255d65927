"""Requests of the protocol as calls of a policy: the one place where the two are translated."""

from gateway.mcp.message import Request
from gateway.mcp.methods import METHODS, Governance
from gateway.policy.decision import Call, Kind


def call_of(request: Request) -> Call | None:
    """The call that a request makes; None where no rule looks at more than a name, or at nothing."""
    match METHODS.get(request.method), request.method:
        case Governance.TOOL_CALL, _:
            return Call(Kind.TOOL, request.target, request.arguments)
        case Governance.PROMPT, _:
            return Call(Kind.PROMPT, request.target, request.arguments)
        case Governance.RESOURCE, "resources/read":
            return Call(Kind.RESOURCE, request.target, {})
        case _:
            return None


def reference_of(request: Request) -> tuple[Kind, str]:
    """The prompt or resource that a completion is for (2025-11-25 completion, "Reference types")."""
    reference = request.params["ref"]
    if reference["type"] == "ref/prompt":
        return Kind.PROMPT, reference["name"]
    return Kind.RESOURCE, reference["uri"]


def resources_in(request: Request) -> list[str]:
    """The resources whose changes a `subscriptions/listen` asks for."""
    return request.params.get("notifications", {}).get("resourceSubscriptions") or []


def kind_of_list(governance: Governance) -> Kind:
    """What a list of this governance has entries of. Raises KeyError for any other."""
    return {
        Governance.TOOL_LIST: Kind.TOOL,
        Governance.RESOURCE_LIST: Kind.RESOURCE,
        Governance.PROMPT_LIST: Kind.PROMPT,
    }[governance]
