"""Damaged files give an error of ours or sound arrays, and never anything else."""

import io
import json
import pickle
import random
import struct
import warnings
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pagjax.convert.torch_files import Placeholder, TorchFileError, read
from pagjax.convert.torch_files.allowed import _BUILDERS
from tests.convert.torch_files.assembler import (
    Code,
    build,
    call,
    encode,
    named,
    new,
    persistent,
    pickled,
    storage,
    tensor,
)
from tests.convert.torch_files.containers import written, zip_bytes
from tests.convert.torch_files.test_old_containers import tar_example

MUTANTS = 400
VALUES = np.linspace(-1, 1, 12, dtype=np.float32)


def torch_bytes(zipped):
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    saved = {
        "epoch": 7,
        "best": np.float64(0.5),
        "history": np.arange(4),
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "view": torch.arange(6.0).reshape(2, 3).t(),
    }
    file = io.BytesIO()
    torch.save(saved, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def deflated(data):
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    return file.getvalue()


def safetensors_bytes():
    header = {
        "a": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]},
        "b": {"dtype": "BF16", "shape": [2], "data_offsets": [48, 52]},
        "__metadata__": {"format": "pt"},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + VALUES.tobytes() + b"\x80\x3f\0\xc0"


WHOLE = {
    "zip": torch_bytes(True),
    "deflated zip": deflated(torch_bytes(True)),
    "legacy": torch_bytes(False),
    "tar": tar_example(),
    "safetensors": safetensors_bytes(),
}


def mutate(data, draw):
    """Damage a file as transfers and editors do: bits, bytes, pieces lost, doubled or moved."""
    at = draw.randrange(len(data))
    length = draw.choice([1, 2, 4, 8, 64, 512, draw.randrange(1, len(data))])
    piece = data[at : at + length]
    other = draw.randrange(len(data))
    match draw.randrange(9):
        case 0 | 1:
            return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
        case 2:
            return data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
        case 3:
            return data[:at]
        case 4:
            return data[:at] + data[at + length :]
        case 5:
            return data[:at] + piece + data[at:]
        case 6:
            return data[:other] + piece + data[other + len(piece) :]
        case 7:
            return data[:at] + bytes(len(piece)) + data[at + length :]
        case _:
            return data[:at] + b"\xff" * len(piece) + data[at + length :]


_PLAIN = bool | int | float | complex | str | bytes | np.generic | np.dtype | Placeholder


def flat(value, where=()):
    """Walk through all content, touching every element, as whoever uses it would."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from flat(part, (*where, str(key)))
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from flat(part, (*where, ""))
    elif isinstance(value, np.ndarray):
        yield where, str(value.dtype), value.shape, value.tobytes()
    else:
        assert value is None or isinstance(value, _PLAIN)
        yield where, "", (), repr(value)


def outcome(path):
    """Return all content, or None where the file is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return list(flat(read(path).content))
        except TorchFileError as error:
            assert str(error).startswith(str(path))  # noqa: PT017
            return None


@pytest.mark.parametrize("container", WHOLE)
def test_damaged_file(tmp_path, container):
    whole = WHOLE[container]
    expected = outcome(written(tmp_path, whole))
    assert expected
    draw = random.Random(container)
    refused = 0
    for number in range(MUTANTS):
        damaged = mutate(whole, draw)
        content = outcome(written(tmp_path, damaged))
        if content is None:
            refused += 1
        elif "zip" in container:
            # Checksums leave no wrong tensor unnoticed.
            assert content == expected, f"mutant {number}"
    assert refused > MUTANTS // 10


def test_file_cut_at_every_byte(tmp_path):
    for container in ("legacy", "safetensors"):
        whole = WHOLE[container]
        step = max(1, len(whole) // 300)
        for end in range(0, len(whole), step):
            assert outcome(written(tmp_path, whole[:end])) is None
    # The end of a tar archive is filling.
    whole = WHOLE["tar"]
    filling = len(whole) - len(whole.rstrip(b"\0"))
    for end in range(0, len(whole) - filling, max(1, len(whole) // 300)):
        assert outcome(written(tmp_path, whole[:end])) is None


def test_damaged_pickle_behind_a_right_checksum(tmp_path):
    with zipfile.ZipFile(io.BytesIO(WHOLE["zip"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (root,) = (name.removesuffix("data.pkl") for name in members if name.endswith("data.pkl"))
    storages = {
        name.removeprefix(f"{root}data/"): np.frombuffer(data, np.uint8)
        for name, data in members.items()
        if name.startswith(f"{root}data/")
    }
    draw = random.Random(0)
    read_at_all = 0
    for _ in range(MUTANTS):
        damaged = mutate(members[f"{root}data.pkl"], draw)
        data = zip_bytes(bytes(damaged), storages)
        read_at_all += outcome(written(tmp_path, data)) is not None
    assert 0 < read_at_all < MUTANTS


INSTRUCTIONS = [
    value
    for name, value in vars(pickle).items()
    if name.isupper() and isinstance(value, bytes) and len(value) == 1
]
PIECES = [
    *INSTRUCTIONS,
    *(bytes([n]) for n in (0, 1, 2, 8, 127, 255)),
    b"ccollections\nOrderedDict\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_tensor_v3\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch.nn.parameter\nParameter\n",
    b"ctorch._tensor\n_rebuild_from_type_v2\n",
    b"cnumpy\ndtype\n",
    b"cnumpy.core.multiarray\nscalar\n",
    b"cnumpy.core.multiarray\n_reconstruct\n",
    b"cnumpy.core.numeric\n_frombuffer\n",
    b"c_codecs\nencode\n",
    b"cbuiltins\nset\n",
    b"cbuiltins\nbytearray\n",
    b"ccollections\nCounter\n",
    b"ctorch\nSize\n",
    b"ctorch\ndevice\n",
    b"ctorch\nfloat32\n",
    b"cos\nsystem\n",
    b"X\2\0\0\0f8",
    b"X\6\0\0\0latin1",
    b"C\x08" + bytes(8),
    b"(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0t",
    b"h\0",
    b"q\0",
    storage("FloatStorage", "0", 12),
    tensor(storage("FloatStorage", "0", 12), (3, 4)),
]


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40), closing=st.sampled_from("tldR."))
def test_arbitrary_instructions(tmp_path_factory, pieces, closing):
    """Instructions in any order: most fail, none surprises."""
    folder = tmp_path_factory.getbasetemp()
    body = pickle.MARK + b"".join(pieces) + closing.encode() + pickle.STOP
    outcome(written(folder, zip_bytes(body, {"0": VALUES}), "instructions.pt"))


FUNCTIONS = [named(module, name) for module, name in _BUILDERS] + [
    named("torch", "float32"),
    named("torch", "FloatStorage"),
    named("torch", "FloatTensor"),
    named("numpy", "ndarray"),
    named("os", "system"),
]
DTYPE_STATE = (3, "<", None, None, None, -1, -1, 0)
DTYPE = build(call(named("numpy", "dtype"), "f4", False, True), DTYPE_STATE)
SCALARS = [None, True, 0, 1, 3, -1, 2**40, 2**70, -(2**2000), 0.5, float("nan"), "", "f8", "<"]
SCALARS += ["latin1", "F", "cpu", "storage", "module", "0", "\ud800", b"", bytes(8), bytes(48)]
WHOLES = [(3, 4), (4, 1), (), [], {}, DTYPE, DTYPE_STATE, PIECES[-1], PIECES[-2]]


def arbitrary_value(draw, depth):
    """A pickle of sound form whose calls get arguments that they may not expect."""

    def inner():
        return arbitrary_value(draw, depth - 1)

    def several():
        return [inner() for _ in range(draw.randrange(8))]

    if depth == 0 or draw.random() < 0.3:
        return encode(draw.choice(draw.choice([SCALARS, WHOLES, FUNCTIONS])))
    function = draw.choice(FUNCTIONS) if draw.random() < 0.9 else inner()
    match draw.randrange(10):
        case 0:
            return encode(tuple(several()))
        case 1:
            return encode(several())
        case 2:
            return Code(b"}" + inner() + inner() + b"s" + inner() + inner() + b"s")
        case 3:
            return Code(b"\x8f(" + b"".join(several()) + b"\x90")
        case 4:
            return new(function, *several())
        case 5:
            return Code(function + encode(tuple(several())) + inner() + pickle.NEWOBJ_EX)
        case 6:
            return build(inner(), inner() if draw.random() < 0.5 else tuple(several()))
        case 7:
            identity = ("storage", named("torch", "FloatStorage"), "0", "cpu", 12)
            return persistent(tuple(inner() if draw.random() < 0.2 else x for x in identity))
        case _:
            return call(function, *several())


def test_functions_with_arguments_that_they_do_not_expect(tmp_path):
    draw = random.Random(0)
    read_at_all = 0
    for _ in range(3 * MUTANTS):
        data = zip_bytes(arbitrary_value(draw, 4), {"0": VALUES})
        read_at_all += outcome(written(tmp_path, data)) is not None
    assert 0 < read_at_all < 3 * MUTANTS


def test_undamaged_pieces_are_sound(tmp_path):
    made = Code(PIECES[-1])
    content = outcome(written(tmp_path, zip_bytes(pickled([made]), {"0": VALUES})))
    assert content == [(("",), "float32", (3, 4), VALUES.tobytes())]
