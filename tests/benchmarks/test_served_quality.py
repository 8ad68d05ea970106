"""What the figures over HTTP are compared with."""

from typing import Any

import pytest

from benchmarks.served_quality import recorded_figures

CARD: dict[str, Any] = {"name": "tiny", "version": "1.0.0", "labels": [{"name": "Physics"}, {"name": "Biology"}]}


def test_the_card_s_figures_are_those_of_the_chosen_papers() -> None:
    card = CARD | {"quality": {"micro_f1": 0.9}, "test": {"micro_f1": 0.8}}
    assert recorded_figures(card, "validation", ("Biology", "Physics")) == {"micro_f1": 0.9}
    assert recorded_figures(card, "test", ("Biology", "Physics")) == {"micro_f1": 0.8}


@pytest.mark.parametrize("measured_on", ["validation", "test"])
def test_a_card_without_figures_is_reported_in_a_sentence(measured_on: str) -> None:
    with pytest.raises(SystemExit, match=rf"the card of tiny 1\.0\.0 has no figures on {measured_on} papers"):
        recorded_figures(CARD, measured_on, ("Physics", "Biology"))


def test_a_file_with_other_labels_is_reported_before_anything_is_sent() -> None:
    with pytest.raises(SystemExit, match=r"the file has the labels Law; tiny 1\.0\.0 has Physics, Biology"):
        recorded_figures(CARD, "validation", ("Law",))
