"""Several processes spend from one file of words: nothing is granted twice, and nothing is lost."""

import mmap
import subprocess
import sys

import pytest

from tests.differential.bench import SECOND_NS
from tests.support.cores import COMPILED

PROCESSES = 3
MAXIMUM = 5_000
LENGTH = 8 * 8192
START_WORD = 0
NOW_NS = 1_000 * SECOND_NS

# Every process calls as fast as it can, takes every third admitted call back, and prints what it kept.
CALLER = """
import mmap, sys
from tests.support.cores import COMPILED as core
from tests.differential.test_processes import LENGTH, MAXIMUM, NOW_NS, START_WORD, limits_of

with open(sys.argv[1], "r+b") as file:
    words = core.Words(mmap.mmap(file.fileno(), LENGTH))
program, slots = limits_of(words)
print("ready", flush=True)
while not words[START_WORD]:
    pass
admitted = kept = 0
for _ in range(2 * MAXIMUM):
    code, _, _, receipt = core.decide(program, None, words, slots, NOW_NS, NOW_NS)
    if code == core.ALLOW:
        admitted += 1
        if admitted % 3:
            kept += 1
        else:
            core.rollback(words, receipt, NOW_NS)
print(kept)
"""


def limits_of(words):
    """One limit of each kind, all with the same maximum; the blocks are tagged if they were not yet."""
    kinds = (COMPILED.SLIDING_WINDOW, COMPILED.FIXED_WINDOW, COMPILED.TOKEN_BUCKET)
    limits = [COMPILED.Limit(slot, kind, 60 * SECOND_NS, MAXIMUM, MAXIMUM, 1) for slot, kind in enumerate(kinds)]
    slots = COMPILED.Slots(len(kinds))
    offset = 8
    for slot, kind in enumerate(kinds):
        words[offset] = 1 + slot
        slots.bind(slot, offset, 1 + slot)
        offset += COMPILED.block_length(kind, MAXIMUM)
    return COMPILED.Program((), (), (), (), tuple(limits)), slots


@pytest.mark.timeout(60)
def test_processes_share_limits_exactly(tmp_path, pytestconfig):
    """What all of them kept, and what is left at the end, is the maximum on the nose."""
    path = tmp_path / "words"
    path.write_bytes(bytes(LENGTH))
    command = [sys.executable, "-c", CALLER, str(path)]
    callers = [
        subprocess.Popen(command, cwd=pytestconfig.rootpath, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    with path.open("r+b") as file:
        words = COMPILED.Words(mmap.mmap(file.fileno(), LENGTH))
    program, slots = limits_of(words)
    for caller in callers:
        assert caller.stdout.readline() == "ready\n"
    words[START_WORD] = 1
    kept = sum(int(caller.communicate()[0]) for caller in callers)
    while COMPILED.decide(program, None, words, slots, NOW_NS, NOW_NS)[0] == COMPILED.ALLOW:
        kept += 1
    assert kept == MAXIMUM
