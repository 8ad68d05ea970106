"""Sizes of a run follow encoder, file and machine."""

import pytest

from training.data.column_roles import Columns
from training.drafting.plan import BUDGET_SECONDS, plan
from training.drafting.survey import Survey
from training.fitting.speed import Speed
from training.model.pretrained import EncoderFacts

BERT_BASE = EncoderFacts("bert", layers=12, hidden=768, positions=512, vocabulary=30522)
MINILM = EncoderFacts("bert", layers=6, hidden=384, positions=512, vocabulary=30522)
# Seconds per word piece of a training step: six narrow layers and BERT-base on two plain cores.
FAST, SLOW = Speed(0.0003, 3e-7), Speed(0.003, 2e-6)


def found(papers: int, tokens: int = 250, labels: int = 10) -> Survey:
    columns = Columns("title", "abstract", None, None, None)
    counts = {f"label {i}": papers // 3 for i in range(labels)}
    return Survey(papers, columns, counts, {}, blanks=0, others={}, lengths=[tokens] * 50)


@pytest.mark.parametrize(
    ("encoder", "rate"),
    [
        (BERT_BASE, 2e-5),
        (MINILM, 2e-4),
        (MINILM._replace(layers=12), 1e-4),
        (BERT_BASE._replace(layers=6), 2e-4),
        (BERT_BASE._replace(layers=24, hidden=1024), 1e-5),
    ],
)
def test_the_learning_rate_follows_the_encoder(encoder: EncoderFacts, rate: float) -> None:
    assert plan(found(1000), encoder, FAST).learning_rate == rate


@pytest.mark.parametrize("papers", [200, 1300, 20_000, 300_000, 3_000_000])
@pytest.mark.parametrize(("encoder", "speed"), [(MINILM, FAST), (BERT_BASE, SLOW)])
@pytest.mark.parametrize("tokens", [20, 250, 500])
def test_a_first_result_fits_into_the_time_budget(
    papers: int, encoder: EncoderFacts, speed: Speed, tokens: int
) -> None:
    sizes = plan(found(papers, tokens), encoder, speed)
    assert sizes.costs.total <= BUDGET_SECONDS * 1.05
    assert sizes.fit_tokens <= sizes.input_tokens


def test_nothing_is_cut_where_there_is_time() -> None:
    sizes = plan(found(1300), MINILM, Speed(0.00002, 0))
    assert (sizes.epochs, sizes.fit_tokens, sizes.sample) == (8, 256, None)


def test_shorter_texts_come_before_fewer_epochs_and_fewer_papers_last() -> None:
    speeds = [Speed(seconds, 0) for seconds in (0.0002, 0.0004, 0.001, 0.01)]
    plans = [plan(found(2000), MINILM, speed) for speed in speeds]
    assert [made.epochs for made in plans] == sorted((made.epochs for made in plans), reverse=True)
    assert plans[1].fit_tokens < plans[0].fit_tokens or plans[1].epochs == plans[0].epochs
    assert [made.sample is None for made in plans] == [True, True, True, False]


def test_no_text_is_longer_than_the_encoder_reads() -> None:
    assert plan(found(1000, 400), MINILM._replace(positions=128), FAST).input_tokens == 128


@pytest.mark.parametrize("papers", [40, 200, 342])
def test_files_too_small_for_a_sample_get_the_fastest_plan_that_uses_all_papers(papers: int) -> None:
    sizes = plan(found(papers), BERT_BASE, Speed(0.1, 0))
    assert (sizes.sample, sizes.fit_tokens, sizes.epochs) == (None, 64, 3)
    assert sizes.costs.total > BUDGET_SECONDS
