r"""Shows text from agents to people: what could hide or pretend on a terminal is written as `\u{…}`.

A person approves what they see. So control characters, direction marks, spaces of no width and letters that look like
another are never printed as they are.
"""

import unicodedata
from typing import Final

# Controls, formats (direction, zero width), surrogates, private use, unassigned; separators; combining marks.
_HIDING: Final = ("C", "Z", "M")

# Letters and signs that look like ASCII ones, from the scripts that attackers take them from. What Unicode itself
# reduces to ASCII (full-width forms, mathematical alphabets, ligatures) is found without a list.
_PRETENDERS: Final = frozenset(
    "аеорсухіјѕԁԛԝһӏѵ"  # Cyrillic small
    "АВЕКМНОРСТУХІЈЅԌԚԜӀ"  # Cyrillic capital
    "αγικνορτυχω"  # Greek small
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϳ"  # Greek capital
    "օսոհցքզյԼՍՕՏ"  # Armenian
    "ᎪᎫᎬᎻᎢᎷᏔᏚᏢᏙᏟᏃᏴᏦᏞ"  # Cherokee
    "ıȷɑɡɩʋɪʏɴʀʙ"  # Latin
    "‐‑‒–—―−‘’‚‛“”„‟′″‹›∕⁄∖∗∣⁎꞉։׃˸ː٫۔·‧"  # noqa: RUF001 - signs
)


def visible(text: str, *, keep: str = "") -> str:
    r"""`text` with every character that could mislead as `\u{…}`, its code point in hexadecimal.

    `keep` are characters that are let through whatever they are, for layout of the caller's own.
    """
    return "".join(
        character if character in keep or not is_misleading(character) else f"\\u{{{ord(character):x}}}"
        for character in text
    )


def misleading(text: str) -> int:
    """How many characters of `text` are written as code points."""
    return sum(map(is_misleading, text))


def is_misleading(character: str) -> bool:
    """Whether a person could take it for another character, or not see it at all."""
    if " " <= character <= "~":
        return False
    if character in _PRETENDERS or unicodedata.category(character)[0] in _HIDING:
        return True
    return unicodedata.normalize("NFKC", character).isascii()
