"""Breaks the gateway on purpose, in a copy, and requires that the tests notice: `make breakages`.

A test suite that stays green while the gateway swallows notifications or buffers answers proves nothing. Each entry
below is one such breakage, as an edit of a source file, with the tests that must turn red.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Breakage(NamedTuple):
    """One edit, and the tests that must notice it."""

    name: str
    file: str
    before: str
    after: str
    tests: str


BREAKAGES = (
    Breakage(
        "a call that cannot be recorded is forwarded",
        "gateway/proxy/record.py",
        "            return self._continues\n",
        "            return True\n",
        "tests/functional/test_journal_crashes.py tests/proxy/test_record.py",
    ),
    Breakage(
        "a record's MAC does not cover the one before",
        "gateway/audit/chain.py",
        "        digest.update(previous.encode())\n",
        "",
        "tests/audit/test_verify.py",
    ),
    Breakage(
        "GET is answered 405",
        "gateway/proxy/downstream.py",
        '            case Role.MCP, "GET":\n',
        '            case Role.MCP, "NEVER":\n',
        "tests/functional/test_sessions.py tests/functional/test_streaming.py",
    ),
    Breakage(
        "notifications are swallowed",
        "gateway/proxy/dispatch.py",
        "        answer_filter = self._filter(",
        "        if not isinstance(message, Request):\n"
        "            await sink.begin(202, [], 0)\n"
        "            await sink.end()\n"
        "            return\n"
        "        answer_filter = self._filter(",
        "tests/functional/test_sessions.py",
    ),
    Breakage(
        "answers are buffered",
        "gateway/proxy/transfer.py",
        "async for chunk in answer.chunks():\n                    events",
        "for chunk in [await answer.read(MAX_LIST_BYTES)]:\n                    events",
        "tests/functional/test_streaming.py",
    ),
    Breakage(
        "`id:` is stripped from events",
        "gateway/proxy/transfer.py",
        'await self._write(b"".join(events))',
        'await self._write(re.sub(rb"id: \\d+\\r?\\n", b"", b"".join(events)))',
        "tests/functional/test_streaming.py tests/functional/test_sessions.py",
    ),
    Breakage(
        "a disconnect is not passed on",
        "gateway/proxy/relay.py",
        "if outbound.is_cancelled_by_leaving:",
        "if False:",
        "tests/functional/test_streaming.py",
    ),
    Breakage(
        "a disconnect cancels legacy calls too",
        "gateway/proxy/relay.py",
        "if outbound.is_cancelled_by_leaving:",
        "if True:",
        "tests/functional/test_streaming.py",
    ),
    Breakage(
        "the agent's bytes are forwarded instead of the judged object",
        "gateway/proxy/relay.py",
        "orjson.dumps(self.message.body)",
        'orjson.dumps(self.message.body | {"extra": 1})',
        "tests/functional/test_forwarding.py",
    ),
    Breakage(
        "lists are not filtered",
        "gateway/proxy/dispatch.py",
        "            return self._list_filter(caller)\n",
        "            return None\n",
        "tests/functional/test_seed_policy.py",
    ),
    Breakage(
        "a failed call is not given back",
        "gateway/proxy/relay.py",
        "rolled_back = not error.may_have_run and outbound.settle()\n        exchange",
        "rolled_back = False\n        exchange",
        "tests/functional/test_seed_policy.py",
    ),
    Breakage(
        "decisions are recorded after the call",
        "gateway/proxy/record.py",
        "if not recorder.append(self._decision_record(grant, message, decision, approval, decide_ns)):",
        "if False:",
        "tests/proxy/test_downstream.py",
    ),
    Breakage(
        "an approval is used as often as one likes",
        "gateway/store/approvals.py",
        "SET state = 'consumed', consumed_ns",
        "SET state = 'approved', consumed_ns",
        "tests/functional/test_approvals.py",
    ),
    Breakage(
        "an approval is good for other arguments",
        "gateway/store/approval.py",
        "return cls(grant, server, tool, canonical_json(arguments), revision)",
        'return cls(grant, server, tool, "{}", revision)',
        "tests/functional/test_approvals.py",
    ),
    Breakage(
        "an approval is good after its time",
        "gateway/store/approvals.py",
        "SET state = 'expired', is_recorded = 0",
        "SET is_recorded = is_recorded",
        "tests/store/test_approvals.py",
    ),
    Breakage(
        "an approved call runs under the policy that it was asked under",
        "gateway/proxy/approval.py",
        "is_bound = grant.engine.revision == approval.call.revision",
        "is_bound = True",
        "tests/proxy/test_approval.py",
    ),
    Breakage(
        "a call that was too late to be approved keeps what it spent",
        "gateway/proxy/approval.py",
        "                self._gate.settle(grant, decision)\n                self._gate.release",
        "                self._gate.release",
        "tests/proxy/test_approval.py",
    ),
    Breakage(
        "a held call runs although its agent has cancelled it",
        "gateway/proxy/approval.py",
        "        self.is_cancelled = True\n",
        "",
        "tests/functional/test_approvals.py tests/proxy/test_approval.py",
    ),
    Breakage(
        "a late body is judged by what its headers found",
        "gateway/proxy/dispatch.py",
        "grant=self._identity.renewed(caller.grant)",
        "grant=caller.grant",
        "tests/functional/test_reload.py",
    ),
    Breakage(
        "streams outlive their grant",
        "gateway/app.py",
        "        self._streams.review()\n",
        "",
        "tests/functional/test_open_streams.py",
    ),
    Breakage(
        "a configuration is taken in part",
        "gateway/app.py",
        "        _check_fixed(self._assembled.config, config)\n",
        "",
        "tests/functional/test_reload.py",
    ),
    Breakage(
        "a max that is lowered and raised again gives back",
        "gateway/store/bucket.py",
        "return [*_ring(new, times), *rest]",
        "return _ring(new, times)",
        "tests/storm",
    ),
    Breakage(
        "calls under way lose their connections to a changed server",
        "gateway/proxy/relay.py",
        "            while self._users:\n",
        "            while False:\n",
        "tests/functional/test_reload.py",
    ),
    Breakage(
        "a tool that was changed since it was pinned is listed",
        "gateway/proxy/pins.py",
        '        return self._handling != "hide"\n',
        "        return True\n",
        "tests/functional/test_pins.py",
    ),
    Breakage(
        "pins are not asked before a call",
        "gateway/proxy/gate.py",
        "if governance is Governance.TOOL_CALL and grant.pins is not None:",
        "if governance is Governance.TOOL_LIST and grant.pins is not None:",
        "tests/functional/test_pins.py",
    ),
    Breakage(
        "a hint of the server's makes a tool milder",
        "gateway/catalog/classify.py",
        "    base = _worst(inherent)\n",
        "    base = RiskClass.READ if definition.hints.read_only else _worst(inherent)\n",
        "tests/catalog/test_classify.py",
    ),
    Breakage(
        "lists without bound get no cap",
        "gateway/catalog/recommend.py",
        "        denials += [_cap(bulk) for bulk in self.caps]\n",
        "",
        "tests/catalog/test_policies.py",
    ),
    Breakage(
        "a tool called `*` gets a rule for all tools",
        "gateway/catalog/recommend.py",
        ' and "*" not in tool',
        "",
        "tests/catalog/test_recommend.py",
    ),
    Breakage(
        "any user may speak over the socket",
        "gateway/proxy/stdio_listener.py",
        "        if stdio_socket.peer_uid(descriptor) != os.geteuid():\n",
        "        if not stdio_socket:\n",
        "tests/proxy/test_stdio_listener.py",
    ),
    Breakage(
        "a server's process inherits the gateway's environment",
        "gateway/proxy/command.py",
        " if name in INHERITED or name.startswith(_LOCALE)}",
        "}",
        "tests/functional/test_stdio_servers.py tests/proxy/test_command.py",
    ),
    Breakage(
        "agents that share a process keep their ids",
        "gateway/mcp/numbering.py",
        'body = request.body | {"id": number}',
        "body = request.body",
        "tests/functional/test_stdio_servers.py",
    ),
    Breakage(
        "what a server's process has started outlives it",
        "gateway/proxy/process_pipes.py",
        "            os.killpg(self._process.get_pid(), number)",
        "            os.kill(self._process.get_pid(), number)",
        "tests/functional/test_stdio_servers.py tests/proxy/test_process_pipes.py",
    ),
    Breakage(
        "every command over stdio starts a gateway of its own",
        "gateway/cli/gateway_for.py",
        "            if code not in (0, stdio_socket.IN_USE):\n",
        "            if code != 0:\n",
        "tests/cli/test_gateway_for.py tests/functional/test_stdio_process.py",
    ),
    Breakage(
        "a call that its agent cancels over stdio runs when it is approved",
        "gateway/proxy/conversations.py",
        "            call.cancel()\n",
        "            pass\n",
        "tests/functional/test_approvals.py",
    ),
)


# Nothing is broken, so that red means what it says.
CONTROL = Breakage(
    "control",
    "gateway/proxy/relay.py",
    "class Relay:",
    "class Relay:",
    "tests/functional tests/proxy --deselect tests/functional/test_clients.py",
)


def is_noticed(breakage: Breakage) -> bool:
    """Whether the tests turn red in a copy of the tree with this breakage."""
    with tempfile.TemporaryDirectory(prefix="breakage-") as folder:
        copy = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".*", "build", "dist", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignored)
        # Some tests have their agents and servers in environments of their own.
        (copy / ".venv-clients").symlink_to(ROOT / ".venv-clients")
        source = copy / breakage.file
        text = source.read_text()
        if text.count(breakage.before) != 1:
            raise SystemExit(f"{breakage.name}: {breakage.file} no longer has the place to break; mend this list")
        source.write_text(text.replace(breakage.before, breakage.after))
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--timeout=20", *breakage.tests.split()]
        environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    # 1 is "tests failed"; anything else says that they could not be run.
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{breakage.name}: pytest could not run\n{ended.stdout}{ended.stderr}")
    return ended.returncode == 1


def main() -> int:
    """Try every breakage; 1 when one goes unnoticed."""
    if is_noticed(CONTROL):
        raise SystemExit("the tests are red without any breakage: mend them first")
    results = {breakage.name: is_noticed(breakage) for breakage in BREAKAGES}
    for name, noticed in results.items():
        print(f"{'noticed  ' if noticed else 'UNNOTICED'}  {name}")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
