"""Small files that claim, nest or multiply without measure end soon, in little memory.

All run in one process of their own, whose memory is limited by the operating system and whose
clock is watched, so that a bomb that goes off cannot take the test run with it.
"""

import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.convert.torch_files.assembler import (
    Code,
    build,
    call,
    encode,
    keep,
    named,
    new,
    pickled,
    recall,
    storage,
    tensor,
)
from tests.convert.torch_files.containers import legacy_bytes, tar_bytes, zip_bytes

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory is limited through Linux's interfaces"
)

REPOSITORY = Path(__file__).parents[3]
# The largest share is taken by the millions of values that one file may hold.
MEMORY_LIMIT = 640 << 20
SECONDS_LIMIT = 20

READER = """
import json, resource, sys, time
from pagjax.convert.torch_files import TorchFileError, read
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]),) * 2)
for path in sys.argv[2:]:
    start = time.perf_counter()
    try:
        read(path)
        outcome = "read"
    except TorchFileError as error:
        outcome = str(error)
    except BaseException as error:
        outcome = "!" + type(error).__name__
    print(json.dumps([path, outcome, time.perf_counter() - start]), flush=True)
"""


def raw(data):
    return Code(data)


def nested(opening, closing, depth, inside=b"N"):
    return raw(opening * depth + inside + closing * depth)


def doubling(pair, depth):
    """A value that holds another one twice, which holds another one twice, and so on."""
    return raw(encode([]) + b"".join(keep(raw(b""), i) + recall(i) + pair for i in range(depth)))


def long_pickle(instruction, count):
    return raw(b"(" + instruction * count + b"l")


def colliding_keys():
    """Whole numbers of one hash: multiples of the prime that hashes are taken by."""
    prime = 2**61 - 1
    return raw(b"}(" + b"".join(encode(i * prime) + b"N" for i in range(1, 15_000)) + b"u")


def colliding_integers():
    return raw(b"}(" + b"".join(encode(i << 40) + b"N" for i in range(1, 15_000)) + b"u")


def multiplied(function, argument, count):
    """One long argument, kept once, handed to a function again and again."""
    first = keep(encode(argument), 0)
    again = raw(function + recall(0) + b"\x85R")
    return raw(b"(" + first + again * count + b"l")


LATIN = raw(named("_codecs", "encode") + recall(0) + encode("latin1") + b"\x86R")
STORE = {"0": np.zeros(100_000, np.float32)}
FLAT = storage("FloatStorage", "0", 100_000)
REPEATED = raw(
    b"(" + keep(FLAT, 0) + b"".join(tensor(recall(0), (100_000,)) for _ in range(2_000)) + b"l"
)
SPREAD = tensor(FLAT, (100_000, 100_000), (0, 1))
BOMBS = {
    # Nesting.
    "lists": zip_bytes(nested(b"]", b"a", 30_000, b"]")),
    "tuples": zip_bytes(nested(b"", b"\x85", 150_000)),
    "dictionaries": zip_bytes(nested(b"}N", b"s", 30_000)),
    "marks": zip_bytes(raw(b"(" * 600_000)),
    "nested calls": zip_bytes(
        raw(keep(named("a", "b"), 0) + b"0" + b"(h\0" * 100_000 + b"N" + b"o" * 100_000)
    ),
    "tuple as a key": zip_bytes(raw(b"}" + nested(b"", b"\x85", 150_000) + b"Ns")),
    "tuple in a set": zip_bytes(raw(b"\x8f(" + nested(b"", b"\x85", 150_000) + b"\x90")),
    "frozen sets": zip_bytes(raw(b"(" * 100_000 + b"N" + b"\x91" * 100_000)),
    "json": struct.pack("<Q", 8_000_005) + b'{"a":' + b"[" * 8_000_000,
    "wide json": struct.pack("<Q", 4_000_007) + b'{"a":[' + b"[]," * 1_333_333 + b"0]}",
    # Multiplying.
    "list of tuples": zip_bytes(long_pickle(b"N\x85", 200_000)),
    "laughing lists": zip_bytes(doubling(b"\x86", 60)),
    "laughing tuple as a key": zip_bytes(raw(b"}" + doubling(b"\x86", 60) + b"Ns")),
    "laughing set": zip_bytes(raw(b"\x8f(" + doubling(b"\x86", 60) + b"\x90")),
    "list that holds itself": zip_bytes(raw(keep(raw(b"]"), 0) + recall(0) + b"a")),
    "dictionary that holds itself": zip_bytes(raw(keep(raw(b"}"), 0) + b"N" + recall(0) + b"s")),
    "sets of one list": zip_bytes(
        multiplied(named("builtins", "set"), list(range(20_000)), 20_000)
    ),
    "dictionaries of one list": zip_bytes(
        multiplied(named("collections", "OrderedDict"), [["a", 1]] * 20_000, 20_000)
    ),
    "counters of one dictionary": zip_bytes(
        multiplied(named("collections", "Counter"), {str(i): 1 for i in range(20_000)}, 20_000)
    ),
    "sizes of one list": zip_bytes(multiplied(named("torch", "Size"), [1] * 20_000, 20_000)),
    "bytes of one text": zip_bytes(raw(b"(" + keep(encode("x" * 2**20), 0) + LATIN * 9_999 + b"l")),
    "tensors of one storage": zip_bytes(REPEATED, STORE),
    "spread tensor": zip_bytes(SPREAD, STORE),
    "spread tensor in a stream": legacy_bytes(
        tensor(storage("FloatStorage", "0", 100_000, None), (2**31, 2**30), (0, 0)), STORE
    ),
    # Claims.
    "giant memo index": zip_bytes(raw(b"N" + b"r" + b"\xff\xff\xff\x7f")),
    "giant integer": zip_bytes(raw(b"\x8b\xff\xff\xff\x7f" + bytes(1000))),
    "giant integer that is there": zip_bytes(raw(b"\x8b" + struct.pack("<i", 9**7) + bytes(9**7))),
    "giant text": zip_bytes(raw(b"\x8d" + struct.pack("<Q", 2**40) + b"x")),
    "giant bytes": zip_bytes(raw(b"\x8e" + struct.pack("<Q", 2**40) + b"x")),
    "giant byte array": zip_bytes(raw(b"\x96" + struct.pack("<Q", 2**40) + b"x")),
    "giant byte array by size": zip_bytes(call(named("builtins", "bytearray"), 2**40)),
    "giant bytes by size": zip_bytes(call(named("__builtin__", "bytes"), 2**40)),
    "giant storage": legacy_bytes(storage("FloatStorage", "0", 2**40, None), {}),
    "many storages": legacy_bytes(
        [storage("ByteStorage", str(i), 5_000, None) for i in range(1_000)], {}
    ),
    "giant tar storage": tar_bytes(
        None,
        [pickled((1, "cpu", named("torch", "ByteStorage"))) + struct.pack("<q", 2**40)],
        [],
        [],
    ),
    "inflating archive": zip_bytes(
        None, {"0": np.zeros(300_000_000, np.uint8)}, compression=zipfile.ZIP_DEFLATED
    ),
    # Many small things.
    "empty lists": zip_bytes(long_pickle(b"]", 510_000)),
    "empty sets": zip_bytes(long_pickle(b"\x8f", 510_000)),
    "memo": zip_bytes(raw(b"N" + b"\x94" * 3_100_000)),
    "states": zip_bytes(
        raw(b"(" + build(new(named("torch.nn.parameter", "Parameter")), None) * 50_000 + b"l")
    ),
    # Keys that collide.
    "colliding integers": zip_bytes(colliding_keys()),
    "long texts": zip_bytes(
        raw(
            keep(encode("x" * 2**20), 0)
            + b"0"
            + keep(encode("x" * 2**20), 1)
            + b"0}("
            + recall(0)
            + b"N"
            + (recall(1) + b"N") * 400_000
            + b"u"
        )
    ),
    "long names": zip_bytes(
        raw(
            keep(encode("x" * 2**20), 0) + b"0(" + (recall(0) + recall(0) + b"\x93") * 50_000 + b"l"
        )
    ),
    "many names": zip_bytes(raw(b"(" + b"".join(named("a", str(i)) for i in range(50_000)) + b"l")),
    "integers of equal low bits": zip_bytes(colliding_integers()),
}
# These are large only in what a careless reader makes of them.
READABLE = {
    "list of tuples",
    "nested calls",
    "states",
    "giant byte array by size",
    "giant bytes by size",
    "laughing tuple as a key",
    "laughing set",
    "tuple as a key",
    "tuple in a set",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bombs")
    paths = {}
    for number, (name, data) in enumerate(BOMBS.items()):
        paths[name] = folder / f"{number}.pt"
        paths[name].write_bytes(data)
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-c", READER, str(MEMORY_LIMIT), *map(str, paths.values())],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    by_path = {path: (outcome, seconds) for path, outcome, seconds in lines}
    return {name: by_path.get(str(path), ("!died", 0.0)) for name, path in paths.items()}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_does_not_go_off(outcomes, bomb):
    outcome, seconds = outcomes[bomb]
    assert not outcome.startswith("!")
    assert (outcome == "read") == (bomb in READABLE), outcome
    assert seconds < SECONDS_LIMIT


def test_the_limit_is_felt():
    """A process under the same limit cannot allocate as much as the bombs ask for."""
    program = READER + "\nimport numpy\nnumpy.ones(10**9)\n"
    finished = subprocess.run(
        [sys.executable, "-c", program, str(MEMORY_LIMIT)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "MemoryError" in finished.stderr
