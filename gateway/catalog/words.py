"""The words by which tools tell what they do: verbs of names, and names of arguments that give power away.

A vocabulary and how it is looked up; what follows from a word is for `classify` to say.
"""

import re
from typing import Final

from gateway.catalog.risk import RiskClass

_READ: Final = """
    analyze analyse browse check compare count describe diff explain fetch find get has inspect is list lookup measure
    peek ping preview read resolve search show summarize validate verify view watch
"""
_WRITE: Final = """
    add annotate append archive assemble assign attach bookmark comment copy create define disable edit enable import
    insert label link log make mark merge mkdir modify move new patch pin put record register rename replace save
    set star store subscribe sync tag toggle touch transform unarchive unpin unsubscribe update upload upsert write
"""
_EXECUTE: Final = """
    apply approve authorize bash build call cancel click command compile connect debug deploy dispatch download email
    emulate eval evaluate exec execute export forward grant install interrupt invite invoke job kick launch load login
    mail message navigate notify open pause perform post press process publish query reboot redeploy rerun restart
    resume retry run schedule script send shell share shutdown spawn sql start stop submit suspend task trigger tweet
    type
"""
_DESTRUCTIVE: Final = """
    ban clean clear delete destroy discard drop empty erase evict expire expunge flush force kill nuke overwrite prune
    purge remove reset revert revoke rm rmdir rollback shred terminate truncate undo uninstall unlink unset wipe zap
"""
_FINANCIAL: Final = """
    bid buy charge checkout deposit donate invoice mint order pay payout purchase refund reimburse sell spend stake
    swap trade transfer wire withdraw
"""
_MONEY: Final = "bill billing payment payments invoices transaction transactions wallet"


def _vocabulary() -> dict[str, RiskClass]:
    groups = {
        RiskClass.READ: _READ,
        RiskClass.WRITE: _WRITE,
        RiskClass.EXECUTE: _EXECUTE,
        RiskClass.DESTRUCTIVE: _DESTRUCTIVE,
        RiskClass.FINANCIAL: _FINANCIAL,
    }
    return {word: risk for risk, words in groups.items() for word in words.split()}


VERBS: Final = _vocabulary()
"""What the verb of a name says that a call does."""

NOUNS: Final = dict.fromkeys(_MONEY.split(), RiskClass.FINANCIAL)
"""Nouns that say as much as a verb, unless something only reads about them."""

READINGS: Final = frozenset(
    {"exists", "head", "help", "history", "info", "list", "stat", "statistics", "stats", "status", "summary", "tail"}
)
"""Nouns that are the name of something to read when they stand alone: an action `info`."""

JOINING: Final = frozenset({"and", "or", "then"})
"""What makes a second verb of the word after it: `search_and_replace`."""

# Only words that are hardly ever used for something else in a description.
_SAID: Final = {
    **dict.fromkeys(["delete", "remove", "erase", "destroy", "wipe", "purge", "overwrite", "uninstall", "terminate"],
                    RiskClass.DESTRUCTIVE),
    **dict.fromkeys(["irreversible", "irreversibly", "permanently", "undone"], RiskClass.DESTRUCTIVE),
    **dict.fromkeys(["execute", "shell", "subprocess", "eval"], RiskClass.EXECUTE),
    **dict.fromkeys(["pay", "purchase", "refund", "withdraw"], RiskClass.FINANCIAL),
}  # fmt: skip
_SAID_FORMS: Final = {
    **{verb + ending: risk for verb, risk in _SAID.items() for ending in ("", "s")},
    **{verb.removesuffix("e") + "ing": risk for verb, risk in _SAID.items()},
}

_ARGUMENTS: Final = {
    **dict.fromkeys(
        ["cmd", "code", "command", "commands", "eval", "expression", "javascript", "script", "shell", "sql", "argv"],
        RiskClass.EXECUTE,
    ),
    **dict.fromkeys(["tool", "tool_name"], RiskClass.EXECUTE),
    **dict.fromkeys(
        ["amount", "card_number", "currency", "iban", "payment_method", "price", "recipient_account"],
        RiskClass.FINANCIAL,
    ),
}

FLAGS: Final = frozenset({"delete", "destroy", "erase", "overwrite", "purge", "wipe"})
"""Words of flags that turn any call into one that cannot be undone."""

EMPHASES: Final = frozenset({"cascade", "force", "hard", "permanent", "recursive"})
"""Words of flags that do so where the call changes something anyway."""

NEGATIONS: Final = frozenset({"dont", "keep", "no", "not", "safe", "skip", "without"})
"""Words that turn the meaning of a flag round."""

TEXTS: Final = frozenset({"body", "comment", "content", "description", "message", "name", "note", "text", "title"})
"""The last word of arguments whose text is kept and read again."""

LISTING: Final = frozenset({"all", "find", "list", "search"})
"""Words of tools that answer with many things."""

PAGES: Final = frozenset({"count", "cursor", "limit", "max", "offset", "page", "results", "size", "top"})
"""Words of arguments that bound an answer."""

SWITCHES: Final = frozenset({"action", "actions", "method", "op", "operation", "subcommand", "verb"})
"""Arguments that choose what a tool does."""

ADDRESSES: Final = frozenset(
    {"domain", "email", "endpoint", "host", "recipient", "recipients", "uri", "url", "urls", "webhook"}
)
"""Arguments that name a place outside."""

PATHS: Final = frozenset({"dir", "directory", "file", "folder", "path", "paths"})
"""The last word of arguments that name a place on the server's disk."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_of(name: str) -> list[str]:
    """The words of a name, small: `getUserByID`, `get-user.by_id` and `GET_USER_BY_ID` alike. ASCII alone is read."""
    return [word.lower() for word in _WORD.findall(name)]


def last_word(name: str) -> str:
    """The word that says what a thing is, as `path` in `output_path`; empty where there is none."""
    return (words_of(name) or [""])[-1]


def said_in(description: str) -> dict[str, RiskClass]:
    """The telling words of a description as they stand there, and what each says."""
    found = re.findall(r"[A-Za-z]+", description)
    return {word: _SAID_FORMS[word.lower()] for word in found if word.lower() in _SAID_FORMS}


def argument_risk(name: str) -> RiskClass | None:
    """What an argument of this name lets a call do."""
    return _ARGUMENTS.get("_".join(words_of(name))) or _ARGUMENTS.get(last_word(name))
