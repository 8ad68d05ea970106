"""Writes the configuration of a run over a file of labelled papers as TOML, with reasons as comments."""

from pathlib import Path

from training.data.column_roles import ColumnChoice
from training.drafting.plan import Plan
from training.drafting.survey import FEWEST, Survey
from training.drafting.toml_text import quoted

# Sections that are the same in every draft.
_CHOICES = """\
# Labels that few papers have: "asymmetric", "focal" and "class_balanced" give them more weight than "bce" does.
# [loss]
# kind = "asymmetric"

# Fitted when the run is published: calibrated probabilities, and thresholds for the best F1 of each label.
# [calibration]
# method = "platt" # or "temperature", or "none"; the card compares them
# [thresholds]
# aim = "precision"
# at_least = 0.9
"""
_PRETRAINING = """\
# Pre-train the encoder on masked words of these papers first; this takes long, and helps most if they are few.
# [pretrain]
# epochs = 10
"""
_GOLDEN = """\
# Scored at every start of the service, to check its answers. Replace them by papers of your field that may be
# published.
[[golden]]
title = "An example of what our readers send"
abstract = "Two or three sentences in the style of the collection, written by ourselves."

[[golden]]
title = "A title without an abstract"
"""


def draft(path: Path, encoder: str, choice: ColumnChoice, found: Survey, sizes: Plan) -> str:
    """The text of the configuration; `choice` names the text columns that were given by name."""
    sections = [
        _run(path, encoder, found, sizes),
        _data(path, choice, found, sizes),
        _input(found, sizes),
        _fit(sizes),
        _CHOICES,
        _scope(sizes),
        _PRETRAINING,
        _GOLDEN,
    ]
    return "\n".join(sections)


def _run(path: Path, encoder: str, found: Survey, sizes: Plan) -> str:
    return f"""\
# A run over {quoted(path.name)}: {found.papers} papers. Train it: python -m training run THIS_FILE
{_duration(sizes)}
name = {quoted(_name(path))}
version = "0.1.0" # a published version never changes: raise it for the next run
licence = "yours to choose"
seed = 1

[encoder]
# A hub id or a local folder. "allenai/scibert_scivocab_uncased" was pretrained on scientific papers.
source = {quoted(encoder)}
"""


def _data(path: Path, choice: ColumnChoice, found: Survey, sizes: Plan) -> str:
    held_out = sizes.validation_sample or round(found.papers / 8)
    return f"""\
[data]
# {_text_columns(found)}
{_chosen_columns(choice)}# Held out for thresholds and figures: about {held_out} papers.
# Or name a file: validation = "held_out.csv"
validation_share = 0.125
# Test papers, used for no choice and only reported on: test = "test.csv"
{_sample(sizes)}{_blanks(found)}\
# Papers with none of the labels are learned from as negative examples; false leaves them out.
keep_unlabelled = true
labels = [
{_labels(found)}]{_left_out(found)}

[[data.train]]
path = {quoted(str(path))}
"""


def _input(found: Survey, sizes: Plan) -> str:
    return f"""\
[input]
# Markup, ligatures, words broken at line ends and placeholders such as "n/a" are reduced to plain text.
preparation = "plain-text"
# Half of the papers have at most {found.median_tokens} word pieces, nineteen of twenty at most {found.long_tokens}.
max_tokens = {sizes.input_tokens}
# Abstracts of full texts: truncation = "head+tail" keeps both ends, chunks = 4 reads four times as much.
"""


def _fit(sizes: Plan) -> str:
    return f"""\
[fit]
# At most: the best epoch is kept, and training stops after two epochs without improvement.
epochs = {sizes.epochs}
batch_size = {sizes.batch_size}
# Training on less than serving reads saves time; raise this to input.max_tokens where time does not matter.
max_tokens = {sizes.fit_tokens}
# Depends on the encoder: 2e-5 suits BERT-base; encoders of six layers or fewer need ten times that.
learning_rate = {sizes.learning_rate:g}
head_learning_rate = 1e-3
# averaging = "ema" steadies short runs. More such settings: docs/techniques.md.
"""


def _scope(sizes: Plan) -> str:
    return f"""\
# Texts unlike these papers get the status out_of_scope; at most this share of papers gets it by mistake.
[scope]
false_alarms = 0.02
papers = {max(50, sizes.scope_papers)}
"""


def neither(column: str, cell: str | None) -> str:
    """Why a column is neither text nor label; `cell` is its first cell that is not 0 or 1."""
    if cell is None:
        return f"because all its cells are blank: {quoted(column)}"
    return f"because it holds more than 0 and 1: {quoted(column)} ({cell})"


def minutes(seconds: float) -> str:
    """A duration for people: "about 7 minutes"."""
    whole = max(1, round(seconds / 60))
    return f"about {whole} minute{'s' if whole > 1 else ''}"


def _duration(sizes: Plan) -> str:
    costs = sizes.costs
    return (
        f"# Measured on this machine: fitting takes {minutes(costs.fit)} at most, the TF-IDF baseline "
        f"{minutes(costs.baseline)}, publishing {minutes(costs.publish)}."
    )


def _text_columns(found: Survey) -> str:
    title, abstract = found.columns.title, found.columns.abstract
    return f"Titles: {_column(title)}; abstracts: {_column(abstract)}."


def _column(name: str | None) -> str:
    return "none" if name is None else f"column {quoted(name)}"


def _chosen_columns(choice: ColumnChoice) -> str:
    named = {"title_column": choice.title, "abstract_column": choice.abstract}
    return "".join(f"{key} = {quoted(name)}\n" for key, name in named.items() if name is not None)


def _sample(sizes: Plan) -> str:
    if sizes.sample is None:
        return ""
    return (
        "# All papers would take longer than twenty minutes here, so a sample is drawn for a first result.\n"
        "# Remove both lines for the final run.\n"
        f"sample = {sizes.sample}\nvalidation_sample = {sizes.validation_sample}\n"
    )


def _blanks(found: Survey) -> str:
    if not found.blanks:
        return ""
    note = f"# {found.blanks} cells of the label columns are blank and count as 0; false refuses them."
    return f"{note}\nblank_is_negative = true\n"


def _labels(found: Survey) -> str:
    return "".join(f"  {quoted(label)}, # {papers} papers\n" for label, papers in found.labels.items())


def _left_out(found: Survey) -> str:
    notes = [
        f"\n# Left out, because {papers} of {found.papers} papers have it, too few "
        f"{'with' if papers < FEWEST else 'without'} it to learn from: {quoted(label)}"
        for label, papers in found.set_aside.items()
    ]
    notes += [f"\n# Left out, {neither(column, cell)}" for column, cell in found.others.items()]
    return "".join(notes)


def _name(path: Path) -> str:
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in path.name.split(".")[0])
    return "-".join(words.lower().split())[:100].strip("-") or "papers"
