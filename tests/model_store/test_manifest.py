"""Reading and validating manifests."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from model_store.errors import ArtefactError
from model_store.labels import GraphOutput
from model_store.manifest import Manifest
from model_store.store import Artefact
from tests import builders

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted(Manifest.model_fields)


def document() -> dict[str, Any]:
    loaded: dict[str, Any] = builders.manifest().model_dump(mode="json")
    return loaded


def refused(changed: dict[str, Any]) -> set[object]:
    """Names of the fields that are at fault; empty if the document is valid."""
    try:
        Manifest.model_validate(changed)
    except ValidationError as error:
        return {fault["loc"][0] for fault in error.errors()}
    return set()


def test_a_manifest_is_the_same_after_writing_and_reading() -> None:
    manifest = builders.manifest()
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


@given(st.sampled_from(FIELDS), JSON)
def test_an_invalid_field_is_named(field: str, value: object) -> None:
    assert refused(document() | {field: value}) <= {field}


@pytest.mark.parametrize("field", [name for name, field in Manifest.model_fields.items() if field.is_required()])
def test_every_required_field_is_required(field: str) -> None:
    short = {name: value for name, value in document().items() if name != field}
    with pytest.raises(ValidationError, match=field):
        Manifest.model_validate(short)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_invalid_file_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(ArtefactError, match=r"manifest\.json"):
        Artefact(tmp_path)


def test_the_calibration_of_schema_1_is_read_as_a_method() -> None:
    document = builders.manifest().model_dump(mode="json") | {"schema_version": 1, "calibration": "none"}
    assert Manifest.model_validate(document).calibration.method == "none"


def test_papers_and_titles_have_scope_thresholds_of_their_own() -> None:
    manifest, scores = builders.manifest(), np.array([0.9, 0.1, 0.1], dtype=np.float32)
    statuses = [manifest.decide(GraphOutput(scores, 0.75), title_only=alone).status for alone in (False, True)]
    assert statuses == ["out_of_scope", "ok"]


def test_nothing_is_out_of_scope_without_a_distance_or_without_a_rule() -> None:
    scores = np.array([0.9, 0.1, 0.1], dtype=np.float32)
    assert builders.manifest().decide(GraphOutput(scores), title_only=False).status == "ok"
    assert builders.manifest(scope=None).decide(GraphOutput(scores, 9.0), title_only=False).status == "ok"
