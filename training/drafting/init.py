"""`python -m training init`: survey the file, time the machine, write the configuration."""

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

from training.config import EncoderConfig, HeadConfig, RunConfig, validated
from training.data.column_roles import ColumnChoice
from training.drafting.draft import draft, minutes, neither
from training.drafting.plan import Plan, plan
from training.drafting.survey import Survey, survey
from training.drafting.toml_text import quoted
from training.errors import ConfigError
from training.fitting.speed import Speed, measure_speed
from training.model.network import SubjectNetwork, load_network
from training.model.pretrained import EncoderFacts, read_encoder, read_tokenizer

MeasureSpeed = Callable[[SubjectNetwork, int, int, int], Speed]

# Word pieces of the two lengths at which training steps are timed.
_SHORTER, _LONGER = 48, 192


def init(papers: Path, encoder: str, output: Path, choice: ColumnChoice, measure: MeasureSpeed = measure_speed) -> str:
    """Write a configuration for a file of labelled papers and return a summary for the user.

    Raises ConfigError if the output exists or the encoder cannot be used, DataError if the file
    cannot be trained on.
    """
    if output.exists():
        raise ConfigError(f"{output} exists already; name another file with --output")
    if not (output.parent.is_dir() and os.access(output.parent, os.W_OK)):
        raise ConfigError(f"{output.parent} is no folder that can be written to; name another file with --output")
    # Names and encoder come first: otherwise minutes are wasted on a large file before these errors are noticed.
    for name in (str(papers), encoder):
        quoted(name)
    facts, tokenizer = read_encoder(encoder), read_tokenizer(encoder)
    found = survey(papers, tokenizer, choice)
    sizes = _plan(encoder, facts, found, measure)
    text = draft(papers, encoder, choice, found, sizes)
    validated(RunConfig, tomllib.loads(text), f"{papers} does not give a valid run")
    output.write_text(text, encoding="utf-8")
    return _summary(found, sizes, output)


def _plan(encoder: str, facts: EncoderFacts, found: Survey, measure: MeasureSpeed) -> Plan:
    network = load_network(EncoderConfig(source=encoder), HeadConfig(), len(found.labels))
    return plan(found, facts, measure(network, facts.vocabulary, *_lengths(facts)))


def _lengths(facts: EncoderFacts) -> tuple[int, int]:
    longer = min(_LONGER, facts.positions)
    return min(_SHORTER, longer // 2), longer


def _summary(found: Survey, sizes: Plan, output: Path) -> str:
    title, abstract = (quoted(name) if name else "none" for name in (found.columns.title, found.columns.abstract))
    labels = f"{len(found.labels)} label{'s' * (len(found.labels) != 1)}"
    lines = [
        f"{found.papers} papers; titles: {title}; abstracts: {abstract}; {labels}",
        *(
            f"left out, a label of {papers} paper{'s' * (papers != 1)}: {quoted(label)}"
            for label, papers in found.set_aside.items()
        ),
        *(f"left out, {neither(name, cell)}" for name, cell in found.others.items()),
        f"on this machine fitting takes {minutes(sizes.costs.fit)} at most, the whole run {minutes(sizes.costs.total)}",
        f"{output}: read it, change what you like, then",
        f"python -m training run {output}",
    ]
    return "\n".join(lines) + "\n"
