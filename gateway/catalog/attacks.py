"""What goes wrong with tools, by name: the patterns of attack that a classification names, in our own words.

A table; `classify` says which of them apply to a tool.
"""

from typing import Final

CHOICE: Final = "steered choice"
STORED: Final = "stored instructions"
NO_UNDO: Final = "destruction without undo"
BULK: Final = "bulk change in one call"
CODE: Final = "code execution"
EXFILTRATION: Final = "exfiltration"
PATHS: Final = "path of the caller's choosing"
RUNAWAY: Final = "runaway loop"
DETOUR: Final = "detour around the rules"
MONEY: Final = "spending without consent"
FLOOD: Final = "flooded context"

ATTACKS: Final[dict[str, str]] = {
    CHOICE: "A text that the agent reads talks it into calling this tool, for somebody else's purpose.",
    STORED: "Text written here is read by the next agent, which may take it for an instruction.",
    NO_UNDO: "One wrong call loses what nobody can bring back.",
    BULK: "One call carries thousands of changes, past any limit that counts calls.",
    CODE: "What the agent passes on is run on the server's side.",
    EXFILTRATION: "Data that the agent has seen leaves through an argument, to an address of the attacker's.",
    PATHS: "A path such as ../../etc/passwd reaches files that were never meant.",
    RUNAWAY: "An agent that does not see its failure repeats the call until something breaks.",
    DETOUR: "The tool calls another in its place, past the rules for that one.",
    MONEY: "Money moves because a text asked for it.",
    FLOOD: "One answer is so large that it crowds out what the agent was told before.",
}
"""Each pattern in one sentence."""
