"""The mixture, end to end on tiny papers: a row for each share, from one teacher to the other."""

from pathlib import Path

import pytest

from benchmarks.mixture import main
from tests import builders
from tests.training import tiny


def test_a_row_for_every_share_from_one_to_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builders.publish(tmp_path / "store")
    main([str(tiny.config(tmp_path)), "--store", str(tmp_path / "store"), "--runs", str(tmp_path / "runs")])
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("| share of TF-IDF | micro-F1 |")
    shares, micro_f1 = zip(*((float(row.split("|")[1]), float(row.split("|")[2])) for row in rows), strict=True)
    assert shares == (0.0, 0.2, 0.3, 0.4, 0.5, 1.0)
    # The words of the tiny papers tell their labels, and both know them.
    assert min(micro_f1) > 0.9
    assert micro_f1[0] != micro_f1[-1]
