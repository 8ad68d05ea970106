"""The sections of a run that describe its papers."""

from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from training.config.toml_document import Section

# As model_store.labels.Label has it.
LabelName = Annotated[str, Field(min_length=1, max_length=1000)]


class TextFile(Section):
    """A file of papers, and which of them to take."""

    path: Path
    since: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="by update_date, inclusive")
    until: str | None = Field(default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="by update_date, exclusive")
    sample: int | None = Field(default=None, ge=1, description="papers to draw, seeded; absent: all")


class Source(TextFile):
    """A training file, and which of its papers to take."""

    having: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="only papers with one of these labels, to get more of rare ones"
    )
    most_per_category: int | None = Field(
        default=None,
        ge=1,
        description="draw about this many papers of each common category (of each label, where there are no "
        "categories); papers of rarer categories are all kept",
    )


class DataConfig(Section):
    """Where papers come from. Paths are relative to the working directory."""

    train: tuple[Source, ...] = Field(min_length=1)
    validation: Path | None = Field(default=None, description="absent: split off `validation_share`")
    test: Path | None = Field(
        default=None, description="test papers: used for no choice, their figures are only reported"
    )
    held_out: tuple[Path, ...] = Field(
        default=(),
        description="files of papers to leave out of training, such as those of `python -m training holdout`",
    )
    validation_share: float = Field(default=0.125, gt=0, lt=0.5)
    sample: int | None = Field(
        default=None, ge=1, description="training papers to draw from all files together, seeded"
    )
    validation_sample: int | None = Field(default=None, ge=1, description="validation papers to draw, seeded")
    title_column: str | None = Field(default=None, description="absent: the column named `title`, if there is one")
    abstract_column: str | None = Field(default=None, description="absent: the column named `abstract`, if any")
    labels: tuple[LabelName, ...] | None = Field(
        default=None, min_length=1, description="label columns; absent: all but id, title and abstract"
    )
    categories: dict[str, tuple[str, ...]] | None = Field(
        default=None, description='label → arXiv archives ("cs") or categories ("cs.LG"), for a column `categories`'
    )
    blank_is_negative: bool = Field(default=False, description="whether a blank cell of a label column means 0")
    keep_unlabelled: bool | None = Field(
        default=None, description="papers without any label are negatives; absent: yes, but not with `categories`"
    )
    share: float = Field(
        default=1.0, gt=0, le=1, description="of the training papers, seeded; a smaller share lies within a larger one"
    )

    @field_validator("labels")
    @classmethod
    def _named_once(cls, labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for label, times in Counter(labels or ()).items():
            if times > 1:
                raise ValueError(f"{label!r} is named {times} times; name each label once")
        return labels


class AuxiliaryConfig(Section):
    """Multi-task learning (Sun et al. 2019, section 5.5): a second head learns finer categories."""

    column: str = Field(
        default="categories",
        description="holds space-separated names; papers of files without it are left out of this loss",
    )
    weight: float = Field(default=0.25, gt=0, description="of a wrong category, in units of a wrong label")
    fewest: int = Field(default=50, ge=1, description="a category is learned if it has at least this many papers")
    hidden: int | None = Field(
        default=None, ge=1, description="size of a hidden layer between features and categories; absent: none"
    )
    dropout: float = Field(default=0.3, ge=0, lt=1, description="before and after the hidden layer")
