r"""Shows text from agents to people: what could hide or pretend on a terminal is written as `\u{…}`.

A person approves what they see. Lists of look-alikes are never complete, so this goes the other way: only what cannot
be taken for anything else is printed as it is, which is ASCII, accented Latin letters, and the wide scripts of East
Asia. Controls, direction marks, spaces of no width and the letters of all other scripts are shown as code points.
"""

import unicodedata
from typing import Final

_ACCENTED: Final = range(0xC0, 0x180)
_WIDE: Final = (range(0x3041, 0x3100), range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xAC00, 0xD7A4))
# Letters within these that are a dot over nothing, or strokes that could be a dash, a bar, a slash or a box.
_PLAIN: Final = frozenset({0x131, 0x138, 0x30CB, 0x30CE, 0x30ED, 0x4E00, 0x4E28, 0x4E36, 0x4E3F, 0x4E8C, 0x53E3})


def visible(text: str, *, keep: str = "") -> str:
    r"""`text` with every character that could mislead as `\u{…}`, its code point in hexadecimal.

    `keep` are characters that are let through whatever they are, for layout of the caller's own.
    """
    return "".join(
        character if character in keep or not is_misleading(character) else f"\\u{{{ord(character):x}}}"
        for character in text
    )


def misleading(text: str, *, keep: str = "") -> int:
    """How many characters of `text` are written as code points."""
    return sum(is_misleading(character) for character in text if character not in keep)


def is_misleading(character: str) -> bool:
    """Whether a person could take it for another character, or not see it at all."""
    if " " <= character <= "~":
        return False
    code = ord(character)
    if code in _PLAIN or unicodedata.category(character) not in ("Lu", "Ll", "Lo"):
        return True
    if code in _ACCENTED:
        # Such as the long s, which Unicode itself takes for an s.
        return unicodedata.normalize("NFKC", character).isascii()
    return not any(code in script for script in _WIDE)
