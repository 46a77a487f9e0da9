"""Pickles that no pickler wrote are refused with a reason."""

import pytest

from pagjax.convert.torch_files import TorchFileError, read
from tests.convert.torch_files.assembler import Code, named, persistent
from tests.convert.torch_files.comparison import refused
from tests.convert.torch_files.containers import CONTAINERS, in_stream, in_zip, written


@pytest.mark.parametrize(
    "body",
    [
        # Stack and memo.
        b".",
        b"0.",
        b"2.",
        b"NN.",
        b"(N.",
        b"((.",
        b"t.",
        b"1.",
        b"a.",
        b"]a.",
        b"Na.",
        b"N(Ne.",
        b"}NNNs.",
        b"(Nd.",
        b"}(Nu.",
        b"NNNs.",
        b"\x8f(]\x90N.",
        b"N(N\x90.",
        b"h\0.",
        b"j\xff\xff\xff\xff.",
        b"Nr\xff\xff\xff\xff.",
        b"Np-1\n.",
        b"Np" + b"9" * 4000 + b"\n.",
        b"Npx\n.",
        b"g9\n.",
        # Calls.
        b"NNR.",
        b"K\x01)R.",
        b"X\x01\0\0\0f)R.",
        b"cos\nsystem\nNR.",
        b"cos\nsystem\n]R.",
        b"N)\x81.",
        b"N)}\x92.",
        b"(o.",
        b"(K\x01o.",
        b"b.",
        b"ccollections\nOrderedDict\nK\x01\x85R.",
        b"ccollections\nOrderedDict\n]K\x01a\x85R.",
        b"c__builtin__\nset\nK\x01\x85R.",
        # Names.
        b"cos\n",
        b"cos",
        b"c\xff\n\xfe\n.",
        b"NN\x93.",
        b"K\x01K\x02\x93.",
        b"]]\x93.",
        # Numbers and text.
        b"Ix\n.",
        b"I" + b"9" * 10_000 + b"\n.",
        b"Fx\n.",
        b"Lx\n.",
        b"\x8a\xff.",
        b"\x8b\xff\xff\xff\x7f.",
        b"\x8b\xff\xff\xff\xff.",
        b"G\0.",
        b"X\xff\xff\xff\xff.",
        b"X\x01\0\0\0\xff.",
        b"\x8c\xff.",
        b"\x8d" + b"\xff" * 8 + b".",
        b"T\xff\xff\xff\xff.",
        b"T\xff\xff\xff\x7f.",
        b"U\xff.",
        b"B\xff\xff\xff\xff.",
        b"\x8e" + b"\xff" * 8 + b".",
        b"\x96" + b"\xff" * 8 + b".",
        b"S'a\n.",
        b"Sa\n.",
        b"V\\ud\n.",
        # Framing and the unknown.
        b"\x80\x09N.",
        b"\x95\0",
        b"\x97.",
        b"N\x98.",
        b"\xff.",
        b"\0.",
        # Persistent ids.
        b"NQ.",
        b"K\x01Q.",
        b")Q.",
        b"Pstorage\n.",
        b"P\xff\n.",
    ],
)
@pytest.mark.parametrize("container", CONTAINERS)
def test_broken_pickle_is_refused(tmp_path, container, body):
    with refused(r"its? "):
        read(written(tmp_path, container(Code(body[:-1]) if container is in_stream else body)))


@pytest.mark.parametrize(
    "identity",
    [
        ("storage",),
        ("storage", named("torch", "FloatStorage"), "0", "cpu"),
        ("storage", named("torch", "FloatStorage"), 0, "cpu", 0),
        ("storage", named("torch", "FloatStorage"), ["0"], "cpu", 0),
        ("storage", "torch.FloatStorage", "0", "cpu", 0),
        ("storage", named("os", "system"), "0", "cpu", 0),
        ("storage", named("torch", "FloatStorage"), "0", "cpu", 0.5),
        ("storage", named("torch", "FloatStorage"), "0", "cpu", 2**70),
        ("storage", named("torch", "FloatStorage"), "0", "cpu", 0, ("1", 0)),
        ("storage", named("torch", "FloatStorage"), "0", "cpu", 0, 3),
        ("other", 1, 2, 3, 4),
        (named("os", "system"), 1, 2, 3),
        ["storage"],
    ],
)
def test_broken_persistent_ids(tmp_path, identity):
    for container in (in_zip, in_stream):
        with pytest.raises(TorchFileError):
            read(written(tmp_path, container(persistent(identity))))
