"""Tokens: their form, their randomness, their digest."""

import hashlib
import math
import re
import zlib

import pytest

from gateway.tokens import new_token, token_digest

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FORM = re.compile(r"(gw_[0-9A-Za-z]{6}_([0-9A-Za-z]{43}))([0-9A-Za-z]{6})")


def test_a_token_has_a_form_that_scanners_can_check():
    """Prefix, id, secret, and the CRC-32 of all before it in base 62."""
    match = FORM.fullmatch(new_token())
    checksum = 0
    for digit in match[3]:
        checksum = checksum * 62 + ALPHABET.index(digit)
    assert checksum == zlib.crc32(match[1].encode())


def test_a_secret_has_at_least_190_bits():
    """The length of the secret is what security.md asks for."""
    secret = FORM.fullmatch(new_token())[2]
    assert len(secret) * math.log2(len(ALPHABET)) >= 190


def test_no_two_tokens_are_alike():
    """Each token is drawn anew, and every character is used."""
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert set("".join(tokens)) == {*ALPHABET, "_"}


def test_the_digest_is_sha_256_of_the_text():
    """The digest of any ASCII text is its SHA-256; other text has none."""
    assert token_digest("made-elsewhere") == hashlib.sha256(b"made-elsewhere").digest()
    with pytest.raises(UnicodeEncodeError):
        token_digest("é")
