"""Pictures of a run name labels in a way that their font can draw."""

import pytest

from model_store.labels import Label
from training.publishing.artefact_plots import drawable_name

pytestmark = pytest.mark.train


@pytest.mark.parametrize(
    ("name", "title", "shown"),
    [
        ("Physics", None, "Physics"),
        ("Física", None, "Física"),
        ("cs.LG", "Machine Learning", "Machine Learning"),
        ("物理学", None, "label-1"),
    ],
)
def test_a_label_is_shown_by_its_id_if_the_font_lacks_its_letters(name: str, title: str | None, shown: str) -> None:
    assert drawable_name(Label(id="label-1", name=name, title=title, threshold=0.5)) == shown
