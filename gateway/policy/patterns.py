"""Regular expressions of a policy, on the linear-time engine. Python's `re` is never given one."""

from typing import Final

import jsonschema_rs
from jsonschema_rs import FancyRegexOptions, RegexOptions

# Matching costs, at worst, the size of the compiled pattern for each character. With this bound the
# worst pattern tried takes a second for 100 KB; without a bound it takes more than half a minute.
SIZE_LIMIT_BYTES: Final = 128 * 1024
_DFA_SIZE_LIMIT_BYTES: Final = 1024 * 1024

LINEAR: Final = RegexOptions(size_limit=SIZE_LIMIT_BYTES, dfa_size_limit=_DFA_SIZE_LIMIT_BYTES)

# The engine says only that a pattern is bad. What makes it good names the mistake.
_REPAIRS: Final = (
    ("", "\\", "it ends in a single backslash"),
    ("", ")", "a `(` is never closed"),
    ("", "x]", "a `[` is never closed"),
    ("(", "", "a `)` closes nothing"),
    ("x", "", "it starts with a repetition that has nothing to repeat"),
)


def compile_pattern(pattern: str) -> jsonschema_rs.Validator:
    """A validator whose `is_valid(text)` searches the text, unanchored, in linear time.

    Raises ValueError naming the mistake: bad syntax, syntax that only a backtracking engine has
    (look-around, back-references), or a pattern that compiles to more than `SIZE_LIMIT_BYTES`.
    """
    try:
        return _validator(pattern, LINEAR)
    except jsonschema_rs.ValidationError:
        raise ValueError(_diagnose(pattern)) from None


def _validator(pattern: str, options: RegexOptions | FancyRegexOptions) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"type": "string", "pattern": pattern}, pattern_options=options)


def _diagnose(pattern: str) -> str:
    if _compiles(pattern, RegexOptions()):
        return "the pattern is too large once compiled; shorten its counted repetitions"
    if _compiles(pattern, FancyRegexOptions()):
        return "the pattern needs look-around or a back-reference, which a linear-time engine does not have"
    for before, after, mistake in _REPAIRS:
        if _compiles(before + pattern + after, FancyRegexOptions()):
            return f"the pattern is not a regular expression: {mistake}"
    return "the pattern is not a regular expression; look for an unknown escape or a bad or huge repetition"


def _compiles(pattern: str, options: RegexOptions | FancyRegexOptions) -> bool:
    try:
        _validator(pattern, options)
    except jsonschema_rs.ValidationError:
        return False
    return True
