"""Writes the demo's prompts: short instructions that name the tools to use."""

from collections.abc import Mapping

from gateway.demo import catalogue
from gateway.demo.model import ToolError

_TEXTS = {
    "analyze_function": (
        "Explain what {function_name} in {filename} does. Read it with get_code, its callers and callees "
        "with xrefs, and its frame with get_function_stack_layout."
    ),
    "identify_vulnerability": (
        "Look for memory and injection bugs in {function_name} of {filename}. For each, name the line in "
        "get_code, the input that reaches it by xrefs, and how bad it is."
    ),
    "document_function": (
        "Write a comment for {function_name} in {filename}: purpose, parameters, result, side effects. "
        "Set it with comments, action set_function."
    ),
    "trace_data_flow": (
        "Follow the data at {address} in {filename} with xrefs: who writes it, who reads it, what it means."
    ),
    "compare_functions": (
        "Compare {func1} and {func2} in {filename} by get_code and analyze_function. "
        "Say what they share and where they differ."
    ),
    "reverse_engineer_struct": (
        "Work out the structure at {address} in {filename} from how the code uses it, "
        "and define it with types, action create_class."
    ),
    "trace_network_data": (
        "Find where {filename} receives and sends network data by get_imports and xrefs, "
        "and follow it from recv to every use."
    ),
}


def write_prompt(name: str, given: Mapping[str, str]) -> str:
    """The text of a prompt. `ToolError` for an unknown prompt or a missing argument."""
    published = catalogue.PROMPTS.get(name)
    if published is None:
        raise ToolError(f"Unknown prompt: {name}")
    missing = [argument.name for argument in published.arguments or () if argument.name not in given]
    if missing:
        raise ToolError(f"Missing required arguments: {', '.join(missing)}")
    return _TEXTS[name].format_map(given)
