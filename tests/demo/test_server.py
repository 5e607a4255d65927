"""The demo server as the official client sees it, over loopback HTTP, in both eras of the protocol."""

import asyncio
import importlib.metadata
import json
import time

import httpx2
import pytest
from mcp.shared.exceptions import MCPError
from starlette.requests import Request

from gateway.clock import ManualClock
from gateway.demo import catalogue
from gateway.demo.server import Demo, address, listen
from gateway.errors import GatewayError
from tests.demo.running import connected, received_calls, running_demo, texts

C = {"filename": "crackme.bin"}
EVERY_TOOL = {
    "list_binaries": {},
    "get_binary_info": C,
    "open_binary": {"file_path": "/samples/other.bin", "bndb_path": "/samples/other.bndb"},
    "rename_symbol": {**C, "address_or_name": "mix", "new_name": "mix_state"},
    "get_functions": C,
    "search_functions_by_name": {**C, "search_term": "serial"},
    "get_imports": C,
    "get_exports": C,
    "get_strings": C,
    "get_segments": C,
    "get_sections": C,
    "update_analysis_and_wait": C,
    "get_classes": C,
    "get_namespaces": C,
    "create_data_var": {**C, "address": "0x406000", "var_type": "int32_t", "name": "g_tries"},
    "get_data_vars": C,
    "get_data_at": {**C, "address": "main", "size": 8},
    "analyze_function": {**C, "function_name_or_address": "main"},
    "get_function_signature": {**C, "function_name_or_address": "main"},
    "get_functions_advanced": {**C, "sort_by": "size", "limit": 3},
    "search_functions_advanced": {**C, "search_term": "strlen", "search_in": "callee"},
    "get_function_statistics": C,
    "get_current_address": C,
    "get_current_function": C,
    "get_code": {**C, "function_name_or_address": "main"},
    "comments": {**C, "action": "set", "address": "main", "text": "starts here"},
    "variables": {**C, "action": "list", "function_name_or_address": "main"},
    "types": {**C, "action": "list"},
    "xrefs": {**C, "address_or_name": "check_serial"},
    "get_function_low_level_il": {**C, "address_or_name": "main"},
    "search_strings": {**C, "pattern": "serial"},
    "search_bytes": {**C, "pattern": "55 48 89 e5"},
    "patch_bytes": {**C, "address": "main", "bytes": "55"},
    "assemble_code": {**C, "address": "main", "code": "push rbp"},
    "export_program": {**C, "output_path": "/samples/patched.bin"},
    "get_basic_blocks": {**C, "function_name_or_address": "main"},
    "get_function_stack_layout": {**C, "function_name_or_address": "main"},
    "batch_rename": {**C, "renames": [{"address_or_name": "lock_out", "new_name": "give_up"}]},
    "get_entry_points": C,
    "bookmarks": {**C, "action": "set", "address": "main"},
    "start_task": {"name": "nightly", "tool_name": "update_analysis_and_wait"},
    "get_task_status": {"task_id": "none"},
    "cancel_task": {"task_id": "none"},
    "list_tasks": {},
}


def published(tool):
    """A tool as it stands in the catalogue; `destructiveHint` is null there and absent on the wire."""
    entry = tool.model_dump(by_alias=True, exclude_none=True)
    return {key: entry.get(key) for key in ("name", "description", "inputSchema", "outputSchema", "annotations")}


async def test_the_44_tools_are_published_as_they_stand_in_the_catalogue(connect, catalogue_document):
    """A client gets names, descriptions, both schemas and annotations word for word, in order."""
    async with connect() as client:
        listed = (await client.list_tools()).tools
    wanted = [{"outputSchema": None, **entry} for entry in catalogue_document["tools"]]
    for entry in wanted:
        entry["annotations"] = {k: v for k, v in entry["annotations"].items() if v is not None}
    assert len(listed) == 44
    assert [published(tool) for tool in listed] == wanted


async def test_every_tool_answers_a_sensible_call(connect):
    """Each of the 44 tools succeeds, and its result has the shape that its schema promises."""
    assert list(EVERY_TOOL) == list(catalogue.TOOLS)
    async with connect() as client:
        for name, arguments in EVERY_TOOL.items():
            result = await client.call_tool(name, arguments)
            assert not result.is_error, (name, result.content)
            if catalogue.TOOLS[name].output_schema:
                assert result.structured_content == {"result": texts(result)[0]}
            else:
                assert result.structured_content is None


async def test_the_protocol_is_that_of_the_mode(connect, mode):
    """A modern client gets 2026-07-28 without a handshake, a legacy one 2025-11-25 with one."""
    async with connect() as client:
        assert client.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[mode]
        assert client.server_info.name == "BinAssistMCP"
        assert client.server_info.version == importlib.metadata.version("mcp")


async def test_a_dict_is_one_block_and_a_list_one_block_for_each_element(connect):
    """Dict tools answer one text of indented JSON, list tools one for each element, none for none."""
    async with connect() as client:
        info = await client.call_tool("get_binary_info", C)
        sections = await client.call_tool("get_sections", C)
        nothing = await client.call_tool("search_functions_by_name", {**C, "search_term": "nowhere"})
    assert texts(info)[0].startswith('{\n  "name": "crackme.bin"')
    assert [json.loads(text)["name"] for text in texts(sections)] == [
        ".plt",
        ".text",
        ".rodata",
        ".data",
    ]
    assert nothing.content == []


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("no_such_tool", {}, "Unknown tool: no_such_tool"),
        ("get_functions", {"filename": "x"}, "Error executing tool get_functions: no binary 'x' is open"),
        ("get_functions", {}, "Error executing tool get_functions: 1 validation error"),
    ],
)
async def test_failures_are_results(connect, name, arguments, text):
    """An unknown tool, a failed one and bad arguments answer with `is_error`, never a protocol error."""
    async with connect() as client:
        result = await client.call_tool(name, arguments)
    assert result.is_error
    assert texts(result)[0].startswith(text)


async def test_a_rename_sticks_in_its_session_and_in_no_other(demo_url):
    """A legacy session sees its own renames; another session does not."""
    rename = {**C, "address_or_name": "has_format", "new_name": "is_well_formed"}
    code = {**C, "function_name_or_address": "check_serial"}
    async with connected(demo_url, "legacy") as one, connected(demo_url, "legacy") as other:
        await one.call_tool("rename_symbol", rename)
        assert "is_well_formed(serial)" in texts(await one.call_tool("get_code", code))[0]
        assert "has_format(serial)" in texts(await other.call_tool("get_code", code))[0]


async def test_clients_without_a_session_share_one_state(demo_url):
    """Since 2026-07-28 there are no sessions: what one client sets, the next one sees."""
    comment = {**C, "address": "checksum"}
    async with connected(demo_url, "auto") as client:
        await client.call_tool("comments", {**comment, "action": "set", "text": "djb2"})
    async with connected(demo_url, "auto") as client:
        result = await client.call_tool("comments", {**comment, "action": "get"})
    assert json.loads(texts(result)[0])["comment"] == "djb2"


async def test_any_client_cancels_any_task(demo_url):
    """Tasks are global: one session starts a task, another lists and cancels it, the first sees it ended."""
    async with connected(demo_url, "legacy") as one, connected(demo_url, "auto") as other:
        started = await one.call_tool("start_task", {"name": "scan", "tool_name": "get_strings"})
        task = {"task_id": json.loads(texts(started)[0])["task_id"]}
        listed = await other.call_tool("list_tasks", {"status": "running"})
        assert task["task_id"] in [json.loads(text)["id"] for text in texts(listed)]
        first = json.loads(texts(await other.call_tool("cancel_task", task))[0])
        again = json.loads(texts(await other.call_tool("cancel_task", task))[0])
        status = json.loads(texts(await one.call_tool("get_task_status", task))[0])
    assert (first["cancelled"], again["cancelled"], status["status"]) == (True, False, "cancelled")


async def test_the_templates_and_what_they_lead_to(connect, catalogue_document):
    """The 8 templates are published as they stand, and each can be read; the list of resources is empty."""
    async with connect() as client:
        templates = (await client.list_resource_templates()).resource_templates
        assert (await client.list_resources()).resources == []
        for template in templates:
            uri = template.uri_template.replace("{filename}", "httpd.bin")
            [content] = (await client.read_resource(uri)).contents
            assert content.mime_type == "text/plain"
            assert json.loads(content.text)
    dumped = [template.model_dump(by_alias=True, exclude_none=True) for template in templates]
    assert dumped == catalogue_document["resource_templates"]


async def test_an_unknown_resource_or_prompt_is_a_protocol_error_with_code_0(connect):
    """Failures outside of tools are JSON-RPC errors, with the code that BinAssistMCP gives them."""
    async with connect() as client:
        with pytest.raises(MCPError, match="Unknown resource") as resource:
            await client.read_resource("binja://httpd.bin/nothing")
        with pytest.raises(MCPError, match="Unknown prompt") as prompt:
            await client.get_prompt("nothing")
    assert (resource.value.code, prompt.value.code) == (0, 0)


async def test_the_prompts(connect, catalogue_document):
    """The 7 prompts are published as they stand, and each is written with its arguments in it."""
    async with connect() as client:
        prompts = (await client.list_prompts()).prompts
        for prompt in prompts:
            values = {argument.name: f"<{argument.name}>" for argument in prompt.arguments}
            [message] = (await client.get_prompt(prompt.name, values)).messages
            assert all(value in message.content.text for value in values.values())
    dumped = [prompt.model_dump(by_alias=True, exclude_none=True) for prompt in prompts]
    assert dumped == catalogue_document["prompts"]


async def test_received_calls_are_counted_by_tool(mode):
    """The server tells how often each tool was asked for, whether it ran or not."""
    with running_demo() as url:
        async with connected(url, mode) as client:
            await client.call_tool("list_binaries")
            await client.call_tool("cancel_task", {"task_id": "none"})
            await client.call_tool("cancel_task", {})
            assert await received_calls(url) == {"list_binaries": 1, "cancel_task": 2}


async def test_the_count_is_for_the_machine_itself():
    """A caller from elsewhere does not get the count."""
    demo = Demo(analysis_s=0, task_s=0, clock=ManualClock())
    for client, status in (("203.0.113.9", 403), ("127.0.0.1", 200), ("::1", 200)):
        answer = await demo.count_calls(Request({"type": "http", "client": (client, 1)}))
        assert answer.status_code == status


async def test_slow_analysis_keeps_everybody_waiting():
    """With `analysis_s` an analysing call blocks the server for all, as BinAssistMCP does."""
    with running_demo(analysis_s=0.4) as url:
        async with connected(url, "legacy") as client:
            started = time.monotonic()
            slow = asyncio.create_task(client.call_tool("update_analysis_and_wait", C))
            for _ in range(1000):
                if await received_calls(url):
                    break
            assert time.monotonic() - started >= 0.4
            assert not (await slow).is_error


async def test_a_foreign_host_is_refused(demo_url):
    """On loopback the server serves only requests that name it as a loopback host."""
    async with httpx2.AsyncClient() as http:
        answer = await http.post(demo_url, headers={"host": "evil.example"}, json={})
    assert answer.status_code == 421


def test_a_port_in_use_is_named_with_the_mend():
    """A port that can't be had is an error that names it and the option to change."""
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(GatewayError, match=rf"127\.0\.0\.1:{port}: .*--port"):
            listen("127.0.0.1", port)
        assert address(taken) == f"http://127.0.0.1:{port}/mcp"
