"""Documents name only what exists: files, links, anchors, tests, settings, errors."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.errors import PROBLEMS
from app.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "training/LOG.md", ROOT / "benchmarks/LOG.md"])
# The changelog speaks of names as they were.
CURRENT = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]


def _code(text: str) -> Iterator[str]:
    yield from re.findall(r"`([^`\n]+)`", text)


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_to_files_and_headings(path: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text())
    for target in targets:
        if ":" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked.read_text()), target


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.name)
def test_files_that_are_named_exist(path: Path) -> None:
    tops = (
        "app/",
        "model_store/",
        "tables/",
        "training/",
        "client/",
        "cli/",
        "benchmarks/",
        "deploy/",
        "tests/",
        "docs/",
    )
    named = [code.partition("::")[0] for code in _code(path.read_text()) if code.startswith(tops) and " " not in code]
    missing = [name for name in named if not re.search(r"[*{<]|NAME", name) and not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.name)
def test_tests_that_are_named_exist(path: Path) -> None:
    existing = {
        name for file in ROOT.glob("tests/**/test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    named = {name for code in _code(path.read_text()) for name in re.findall(r"(?:^|::)(test_\w+)(?!\w|\.py)", code)}
    assert named - existing == set()


def test_every_setting_is_explained_and_no_other() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    table = text[text.index("| `PAPERS_…` |") : text.index("SIGHUP, or")]
    rows = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    assert {name.lower() for row in rows for name in _code(row)} == set(Settings.model_fields)


def test_every_error_code_is_in_the_table_of_errors() -> None:
    text = (ROOT / "docs/api.md").read_text()
    table = text[text.index("| status | codes |") : text.index("## API keys")]
    assert set(_code(table)) == {kind.code for kind in PROBLEMS.values()}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1000
