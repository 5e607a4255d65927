"""Classifies the risk of any server's tools from their definitions.

The words of a name give the class. Everything else a definition says can only raise it: the server is trusted half
at most, so no hint makes a tool milder. What says nothing is taken for Execute. What is known of BinAssistMCP's
tools beyond their definitions is in `binassist`.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from gateway.catalog import attacks, evidence, words
from gateway.catalog.definition import Argument, Definition
from gateway.catalog.layout import as_json
from gateway.catalog.risk import (
    LEVEL_OF,
    Bulk,
    Classification,
    Evidence,
    Level,
    RiskClass,
    Switch,
    ValueRisk,
    highest,
    reaches,
    riskiest,
)


def classify(definition: Definition, namespace: str = "") -> Classification:
    """The risk of one tool, with the evidence for it. `namespace` is what all names of its server begin with."""
    named = evidence.of_name(definition.name, namespace)
    inherent = [*named, *evidence.of_schema(definition)]
    # Where there are several actions, hints and description speak of all of them at once.
    general = [*evidence.of_hints(definition.hints), *evidence.of_description(definition.description)]
    actions = list(_actions(definition))
    if not actions:
        inherent += [*([] if named else [evidence.SILENCE]), *general]
        general = []
    base = _worst(inherent)
    switches = [_at_least(switch, base) for switch in _spread(actions, _worst(general))]
    switches += _flags(definition, base)
    found = [*inherent, *general, *map(_of_switch, switches)]
    return conclude(definition, found, base, tuple(switches))


def conclude(
    definition: Definition, found: Iterable[Evidence], base: RiskClass, switches: tuple[Switch, ...]
) -> Classification:
    """The classification that follows from what was found, with the lists and the patterns of attack added."""
    found = list(found)
    risk = riskiest(base, _worst(found))
    bulk = bulk_of(definition) if risk is not RiskClass.READ else ()
    found += [_of_list(entry) for entry in bulk if entry.is_list]
    return Classification(
        tool=definition.name,
        risk=risk,
        level=highest(LEVEL_OF[risk], *(piece.level for piece in found)),
        base=base,
        evidence=tuple(found),
        switches=switches,
        bulk=bulk,
        attacks=tuple(_attacks(definition, risk, switches, bulk)),
    )


def bulk_of(definition: Definition) -> tuple[Bulk, ...]:
    """The arguments that one call may fill without bound."""
    return tuple(
        Bulk(
            path=argument.path,
            is_list="array" in argument.types,
            may_be_text=not argument.types or "string" in argument.types,
        )
        for argument in definition.arguments
        if argument.is_unbounded
    )


def _worst(found: Iterable[Evidence]) -> RiskClass:
    return riskiest(*(piece.risk for piece in found))


def _actions(definition: Definition) -> Iterator[Switch]:
    """The arguments that choose among named actions, each action with the class of its own words."""
    for argument in definition.arguments:
        if evidence.is_switch(argument) and argument.values:
            yield Switch(argument.path, tuple(map(_of_action, argument.values)), argument.default, argument.is_required)


def _of_action(value: object) -> ValueRisk:
    found = evidence.of_name(value) if isinstance(value, str) else []
    risk = _worst(found) if found else evidence.UNKNOWN
    return ValueRisk(value, risk, LEVEL_OF[risk])


def _spread(switches: list[Switch], risk: RiskClass) -> list[Switch]:
    """Raise actions to what is said of the tool as a whole, where none of them explains it.

    Any that changes something may be meant; where none does, any at all.
    """
    values = [value for switch in switches for value in switch.values]
    if any(reaches(value.risk, risk) for value in values):
        return switches
    floor = RiskClass.WRITE if any(value.risk is not RiskClass.READ for value in values) else RiskClass.READ
    return [_at_least(switch, risk, among=floor) for switch in switches]


def _at_least(switch: Switch, risk: RiskClass, among: RiskClass = RiskClass.READ) -> Switch:
    """The switch with its values from class `among` on raised to `risk`."""
    values = tuple(_raised(value, risk) if reaches(value.risk, among) else value for value in switch.values)
    return msgspec.structs.replace(switch, values=values)


def _raised(value: ValueRisk, risk: RiskClass) -> ValueRisk:
    worst = riskiest(value.risk, risk)
    return ValueRisk(value.value, worst, highest(value.level, LEVEL_OF[worst]))


def _flags(definition: Definition, base: RiskClass) -> Iterator[Switch]:
    """The flags that turn a call into one that cannot be undone."""
    telling = words.FLAGS if base is RiskClass.READ else words.FLAGS | words.EMPHASES
    worse = riskiest(base, RiskClass.DESTRUCTIVE)
    for argument in definition.arguments:
        spoken = set(words.words_of(argument.name))
        if argument.types - {"null"} == {"boolean"} and spoken & telling:
            bad = not spoken & words.NEGATIONS
            values = (ValueRisk(bad, worse, LEVEL_OF[worse]), ValueRisk(not bad, base, LEVEL_OF[base]))
            # A flag that is left out is off, unless the schema says otherwise.
            yield Switch(argument.path, values, argument.default is True, argument.is_required)


def _of_switch(switch: Switch) -> Evidence:
    risk = riskiest(*(value.risk for value in switch.values))
    worst = [as_json(value.value) for value in switch.values if value.risk is risk]
    return Evidence("schema", f"{switch.path}: {' or '.join(worst)}", risk)


def _of_list(bulk: Bulk) -> Evidence:
    return Evidence("schema", f"a list of any length in {bulk.path}", level=Level.HIGH)


def _attacks(
    definition: Definition, risk: RiskClass, switches: tuple[Switch, ...], bulk: tuple[Bulk, ...]
) -> Iterator[str]:
    """The patterns that apply, the ones about choosing the tool first."""
    arguments = definition.arguments
    worst = riskiest(risk, *(value.risk for switch in switches for value in switch.values))
    if risk is not RiskClass.READ:
        yield attacks.CHOICE
        if any(_is_text(argument) for argument in arguments):
            yield attacks.STORED
    if worst is RiskClass.DESTRUCTIVE:
        yield attacks.NO_UNDO
    if worst is RiskClass.FINANCIAL:
        yield attacks.MONEY
    if bulk:
        yield attacks.BULK
    powers = {argument.name: words.argument_risk(argument.name) for argument in arguments}
    runs = {name.startswith("tool") for name, power in powers.items() if power is RiskClass.EXECUTE}
    if False in runs:
        yield attacks.CODE
    if True in runs:
        yield attacks.DETOUR
    if definition.hints.open_world or any(map(evidence.is_address, arguments)):
        yield attacks.EXFILTRATION
    if any(map(evidence.is_path, arguments)):
        yield attacks.PATHS
    if reaches(risk, RiskClass.EXECUTE):
        yield attacks.RUNAWAY
    if risk is RiskClass.READ and _is_endless(definition):
        yield attacks.FLOOD


def _is_text(argument: Argument) -> bool:
    return "string" in argument.types and not argument.values and words.last_word(argument.name) in words.TEXTS


def _is_endless(definition: Definition) -> bool:
    """Whether a tool lists, and nothing bounds how much."""
    is_plural = re.search(r"[^isu]s$", words.last_word(definition.name)) is not None
    lists = is_plural or not words.LISTING.isdisjoint(words.words_of(definition.name))
    bounds = {word for argument in definition.arguments for word in words.words_of(argument.name)}
    return lists and not bounds & words.PAGES
