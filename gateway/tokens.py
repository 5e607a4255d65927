"""Makes bearer tokens and their digests. Nothing here stores, prints or compares one.

The form helps people and secret scanners; it never decides. A token is known by its digest alone, so one
that was made elsewhere is as good.
"""

import hashlib
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_LENGTH = 6
_SECRET_LENGTH = 43  # log2(62) bits each: 256 in all
_CHECKSUM_LENGTH = 6  # 62^6 holds every CRC-32


def new_token() -> str:
    """A fresh token, `gw_<id>_<secret><checksum>`; the checksum is the base-62 CRC-32 of all before it."""
    body = f"gw_{_random_text(_ID_LENGTH)}_{_random_text(_SECRET_LENGTH)}"
    return body + _base62(zlib.crc32(body.encode("ascii")))


def token_digest(token: str) -> bytes:
    """SHA-256 of a token, 32 bytes: all that is ever kept of it. UnicodeEncodeError unless it is ASCII."""
    return hashlib.sha256(token.encode("ascii")).digest()


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _base62(number: int) -> str:
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
