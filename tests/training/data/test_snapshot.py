"""arXiv's metadata snapshot, as large as it is: a sample of it is drawn while it is read."""

import subprocess
import sys
from pathlib import Path

import pytest

MAKER = Path("../shared/field/cases/make_snapshot.py")
# As many as arXiv's own snapshot had in 2025.
LINES = 2_700_000

DRAW = """
import resource, sys
from pathlib import Path
from training.config import DataConfig, Source
from training.data.corpus import read_corpus

source = Source(path=Path(sys.argv[1]), sample=5000)
categories = {"Mathematics": ("math",), "Physics": ("hep-th",), "Biology": ("q-bio",)}
corpus = read_corpus(DataConfig(train=(source,), categories=categories), seed=1)
rows = corpus.report[sys.argv[1]]["rows"]
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
print(len(corpus.train) + len(corpus.validation), rows, kilobytes)
"""


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not MAKER.is_file(), reason="needs ../shared/field/cases, which makes such a file")
def test_a_sample_of_2_700_000_papers_fits_into_two_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    with path.open("wb") as file:
        subprocess.run([sys.executable, str(MAKER), str(LINES)], stdout=file, check=True)
    try:
        done = subprocess.run([sys.executable, "-c", DRAW, str(path)], capture_output=True, text=True, check=True)
    finally:
        path.unlink()  # four gigabytes
    drawn, rows, kilobytes = map(int, done.stdout.split())
    assert (drawn, rows) == (5000, LINES)
    assert kilobytes < 2 * 1024 * 1024
