"""Tables in Markdown, and their places in documents."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, without a line break at its end."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def insert(document: Path, contents: Mapping[str, str]) -> None:
    """Replace the text of a document between `<!-- NAME -->` and `<!-- end -->`, for every name."""
    text = document.read_text()
    for name, content in contents.items():
        start = text.index(mark := f"<!-- {name} -->") + len(mark)
        text = f"{text[:start]}\n{content}\n{text[text.index('<!-- end -->', start) :]}"
    document.write_text(text)
