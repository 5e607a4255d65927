"""A server's recommended policy as the text of a file: JSON, or YAML with a comment on every tool.

`gateway scan` writes what this makes.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from gateway.catalog.layout import as_json, as_yaml
from gateway.catalog.recommend import is_nameable, sentence
from gateway.catalog.risk import Classification
from gateway.catalog.styles import StyleName
from gateway.visible import visible

_MOST_REASONS: Final = 5


def policy_text(
    policy: dict[str, Any], classifications: Iterable[Classification], style: StyleName, format: Literal["json", "yaml"]
) -> str:
    """The policy as a file. JSON has no comments: there only the policy's own `description` is for people."""
    if format == "json":
        return as_json(policy) + "\n"
    return "\n".join([*_head(policy), "tools:", *_tools(policy["tools"], classifications, style)]) + "\n"


def _head(policy: dict[str, Any]) -> Iterator[str]:
    for field, value in policy.items():
        if field != "tools":
            yield f"{field}: {as_yaml(value)}"


def _tools(tools: dict[str, Any], classifications: Iterable[Classification], style: StyleName) -> Iterator[str]:
    for classification in classifications:
        yield f"  # {classification.risk}, {classification.level}: {_reasons(classification)}."
        if not is_nameable(classification.tool):
            yield f"  # {visible(classification.tool)[:200]} is left out: no rule can stand for this name alone."
            continue
        yield f"  # {visible(sentence(classification, style))}"
        head = f"  {as_yaml(classification.tool)}: "
        yield head + as_yaml(tools[classification.tool], 2, used=len(head))
    if not tools:
        yield "  {}"


def _reasons(classification: Classification) -> str:
    """What speaks for the class, the most telling first, without what changes nothing."""
    telling = [piece for piece in classification.evidence if piece.risk is not None or piece.level is not None]
    telling.sort(key=lambda piece: piece.risk is not classification.risk)
    return visible("; ".join(piece.text for piece in telling[:_MOST_REASONS]))
