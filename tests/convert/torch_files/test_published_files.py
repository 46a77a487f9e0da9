"""Real checkpoints, compared with what PyTorch reads from them."""

from pathlib import Path

import pytest
import torch

from pagjax.convert.torch_files import read
from tests.convert.torch_files.comparison import assert_same

PUBLISHED = Path(__file__).parents[4] / "shared" / "published"
FILES = sorted(
    path for path in PUBLISHED.rglob("*") if path.is_file() and path.suffix not in (".txt", ".md")
)


@pytest.mark.skipif(not FILES, reason="there are no published files in ../shared/published")
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PUBLISHED)))
def test_published_file(path):
    file = read(path)
    theirs = torch.load(path, map_location="cpu", weights_only=False)
    assert assert_same(file.content, theirs) > 0
    assert file.skipped == ()
    # Some names end with the start of the file's checksum.
    _, dash, start = path.stem.rpartition("-")
    if dash and len(start) == 8:
        assert file.sha256.startswith(start)
