"""What is no checkpoint is named, with what to do about it."""

import gzip
import os
import pickle

import numpy as np
import pytest

from pagjax.convert.torch_files import TorchFileError, read
from tests.convert.torch_files.comparison import refused
from tests.convert.torch_files.containers import legacy_bytes, written

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4665a5\nsize 102540417\n"


@pytest.mark.parametrize(
    ("data", "found", "cure"),
    [
        (b"", "it is empty", "Download"),
        (b"<html><head><title>Virus scan warning", "web page", "download the file itself"),
        (b"<!DOCTYPE html>", "web page", "browser"),
        (b"\xef\xbb\xbf\r\n\t <!doctype HTML>", "web page", "browser"),
        ("\ufeff\n<HTML>".encode("utf-16-le"), "web page", "browser"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "web page", "browser"),
        (b'{"message": "Not Found"}', "JSON", "Download"),
        (LFS, "Git LFS pointer", "git lfs pull"),
        (gzip.compress(b"models", mtime=0), "compressed with gzip", "Unpack"),
        (b"BZh91AY&SY", "bzip2", "Unpack"),
        (b"\xfd7zXZ\0", "xz", "Unpack"),
        (b"PK\5\6" + bytes(18), "empty zip", "ownload"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5", "PyTorch"),
        (pickle.dumps({"weight": np.ones(3)}), "plain pickle", "safetensors"),
        (pickle.dumps([1, 2], 2), "plain pickle", "safetensors"),
        (b"hello, world", "68 65 6c 6c 6f", r"torch\.save"),
        (legacy_bytes(3)[:7], "cut off", "download it again"),
        (b"PK\3", "cut off", "download it again"),
        (legacy_bytes(3)[:20], "too early", "download it again"),
    ],
)
def test_message_names_file_finding_and_cure(tmp_path, data, found, cure):
    with pytest.raises(TorchFileError, match=rf"noise_0\.25\.pth\.tar: .*{found}.*\..*{cure}"):
        read(written(tmp_path, data, "noise_0.25.pth.tar"))


def test_folder(tmp_path):
    with pytest.raises(TorchFileError, match=r": it is a folder\. Give the checkpoint"):
        read(tmp_path)


def test_no_such_file(tmp_path):
    with refused(r"it cannot be opened \(No such file"):
        read(tmp_path / "none.pt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe.pt")
    with refused("not a regular file"):
        read(tmp_path / "pipe.pt")


def test_every_short_start_is_refused(tmp_path):
    whole = legacy_bytes({"epoch": 3})
    assert read(written(tmp_path, whole)).content == {"epoch": 3}
    for text in (whole, b"PK\3\4" + bytes(30), b"././@PaxHeader" + bytes(600), LFS):
        for end in range(len(text)):
            with pytest.raises(TorchFileError):
                read(written(tmp_path, text[:end]))
