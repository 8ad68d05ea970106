"""The capacity simulation: known queues, hand-computed schedules, and nothing lost or counted twice."""

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simpy

from app.api.overload import _MAX_DELAYED
from app.inference.queue import FairQueue, PricedPaper, WorkRequest
from app.main import _REJECTION_DELAY_S
from app.settings import Settings
from benchmarks.capacity import replica as replicas
from benchmarks.capacity.__main__ import main
from benchmarks.capacity.arrivals import DAY_S, Constant, DailyCurve, poisson
from benchmarks.capacity.autoscaler import Autoscaler, Autoscaling, Observation
from benchmarks.capacity.clients import Arrival, Clients
from benchmarks.capacity.costs import Costs, PaperCost
from benchmarks.capacity.fleet import KUBERNETES_SERVICE, BalancerSettings, Fleet
from benchmarks.capacity.plan import LOADS, Plan, cost_table, costs_table, sweep_table, table
from benchmarks.capacity.plots import draw_day, draw_deadline, draw_sweep
from benchmarks.capacity.replica import Replica
from benchmarks.capacity.simulation import Backfill, Run, Scenario, simulate
from benchmarks.capacity.validation import PHASES
from benchmarks.capacity.waiting import Request, Waiting
from benchmarks.markdown import insert
from client import Retries
from model_store.papers import Paper
from tests import builders
from tests.cli.command import write_csv
from tests.deploy.balancer import CONFIGURATION
from tests.deploy.test_balancer import seconds

SECOND = PaperCost(100, (1.0, 1.0))
NO_RETRIES = Retries(tries=1)


def costs(*papers: PaperCost, rejection_s: float = 0.0) -> Costs:
    return Costs("none", "none", "none", 5.0, rejection_s, 0.0, papers)


def answers(
    sizes_at: dict[float, int], settings: Settings, paper: PaperCost = SECOND, retries: Retries = NO_RETRIES
) -> Clients:
    """What the clients of one instance experience that send so many papers at these times."""
    env = simpy.Environment()
    fleet = Fleet(env, lambda: Replica(env, settings, 0.0), 1, 5.0)
    clients = Clients(env, fleet, retries, random.Random(1))
    env.process(clients.send_all(Arrival(at, [paper] * size) for at, size in sizes_at.items()))
    env.run()
    return clients


def test_papers_wait_for_workers_as_in_a_schedule_made_by_hand() -> None:
    outcomes = answers({0.0: 1, 0.1: 1, 0.2: 1, 0.3: 1}, Settings(threads=2)).outcomes
    assert outcomes.seconds.tolist() == pytest.approx([1.0, 1.0, 1.8, 1.8])


def test_a_single_paper_overtakes_a_batch_whose_papers_wait() -> None:
    outcomes = answers({0.0: 4, 0.5: 1}, Settings(threads=1)).outcomes
    assert dict(zip(outcomes.asked_at, outcomes.seconds, strict=True)) == pytest.approx({0.5: 1.5, 0.0: 5.0})


def test_a_paper_takes_longer_beside_another_one() -> None:
    outcomes = answers({0.0: 1, 0.5: 1}, Settings(threads=2), PaperCost(100, (1.0, 1.4))).outcomes
    assert outcomes.seconds.tolist() == pytest.approx([1.0, 1.4])


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_the_mean_wait_for_one_worker_is_that_of_the_queue_m_d_1(load: float) -> None:
    service_s = 0.01
    run = simulate(
        Scenario(Constant(load / service_s), 0, 250, 1),
        costs(PaperCost(1, (service_s,))),
        Settings(threads=1, max_queue=10_000, max_queue_tokens=100_000),
    )
    expected = load * service_s / (2 * (1 - load))
    assert np.mean(run.singles.seconds) - service_s == pytest.approx(expected, rel=0.15)
    assert run.singles.rejections == 0


def test_waiting_papers_are_taken_in_the_order_of_the_service(tmp_path: Path) -> None:
    """The heap of the simulation beside FairQueue, which looks at every request."""
    chance = random.Random(1)
    sizes = [[chance.randint(1, 9) for _ in range(chance.choice([1, 1, 1, 8]))] for _ in range(40)]
    classifier = builders.publish(tmp_path / "artefacts").open().classifier()

    async def order_of_service() -> list[str]:
        queue = FairQueue(ordinary_cost=5)
        for number, costs_of_one in enumerate(sizes):
            papers = [PricedPaper(Paper(str(number)), cost) for cost in costs_of_one]
            urgent_from = 0.0 if number < 2 else time.monotonic() + 3600
            queue.put(WorkRequest(classifier, papers, urgent_from, lambda *_: None, lambda _: None))
        items = [queue.take() for _ in range(queue.papers())]
        return [item.paper.title for item in items if item]

    waiting = Waiting(ordinary_cost=5)
    for number, costs_of_one in enumerate(sizes):
        papers = [PaperCost(cost, (1.0,)) for cost in costs_of_one]
        waiting.put(Request(papers, simpy.Environment().event(), number, 0.0 if number < 2 else 2.0))
    order = [str(int(waiting.take(1.0)[0].created)) for _ in range(waiting.papers)]
    assert order == asyncio.run(order_of_service())


def test_a_full_queue_rejects_and_clients_come_back_when_they_were_told_to() -> None:
    settings = Settings(threads=1, max_queue=2, max_papers=1)
    outcomes = answers({0.0: 1, 0.1: 1, 0.2: 1}, settings, retries=Retries(first_s=1e-9)).outcomes
    # The third is rejected after 0.5 s, and told to come back after the 1 s in which nothing was measured yet.
    assert outcomes.seconds.tolist() == pytest.approx([1.0, 1.9, 2.8])
    assert (outcomes.rejections, outcomes.given_up) == (1, 0)


def test_rejections_are_delayed_as_in_the_service() -> None:
    assert replicas.REJECTION_DELAY_S == _REJECTION_DELAY_S
    assert replicas.MAX_DELAYED == _MAX_DELAYED


def test_the_balancer_has_the_settings_of_the_shipped_one() -> None:
    text = CONFIGURATION.read_text()
    found = {name: re.search(rf"{name} (\d+)", text) for name in ("retries", "maxconn", "fastinter", "fall")}
    figures = {name: int(match.group(1)) for name, match in found.items() if match}
    balancer = BalancerSettings()
    assert (figures["retries"], figures["maxconn"]) == (balancer.retries, balancer.max_connections)
    assert balancer.connect_timeout_s == seconds("timeout connect")
    assert balancer.answer_timeout_s == seconds("timeout server")
    fastinter_s = figures["fastinter"] / 1000
    assert balancer.refusal_detected_s == pytest.approx(figures["fall"] * fastinter_s)
    assert balancer.silence_detected_s == pytest.approx(figures["fall"] * seconds("timeout check") + fastinter_s)


def overloaded(**changes: Any) -> Run:
    """Twice the load of two instances for some seconds, and the time until all have been answered or given up."""
    paper = PaperCost(100, (0.02, 0.03))
    scenario = Scenario(Constant(270), 0, 6, 2, settle_s=90)
    return simulate(
        replace(scenario, **changes), costs(paper, rejection_s=0.0002), Settings(threads=2, max_queue=64, max_papers=16)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"backfill": Backfill(800, 0.0, 8, batch=16)},
        {"failures": [(2, Fleet.kill_process), (4, Fleet.lose_machine)]},
        {"autoscaling": Autoscaling.read(), "metrics_delay_s": 15.0},
        {"balancer": BalancerSettings(max_connections=160)},
    ],
    ids=["overload", "batches", "failures", "autoscaler", "few connections"],
)
def test_every_request_is_answered_or_given_up_and_every_paper_scored_once(changes: dict[str, Any]) -> None:
    run = overloaded(**changes)
    assert run.singles.rejections > 50
    assert run.singles.in_flight == run.batches.in_flight == 0
    assert run.singles.answered == len(run.singles.seconds)
    answered = run.singles.papers + run.batches.papers
    # An instance that fails may have scored papers that another one scores again.
    assert run.scored >= answered if "failures" in changes else run.scored == answered


def test_a_client_tries_again_if_no_connection_is_free() -> None:
    run = overloaded(balancer=BalancerSettings(max_connections=4, accept_timeout_s=1.0), retries=NO_RETRIES)
    assert run.singles.given_up > 100
    assert (run.singles.rejections, run.most_connections) == (0, 4)
    assert max(run.singles.seconds) < 1.5


def test_while_the_simulation_runs_arrivals_are_answered_given_up_or_in_flight() -> None:
    run = overloaded(settle_s=0.0)
    assert run.singles.in_flight > 0
    assert run.samples[-1].requests <= run.singles.requests
    assert run.singles.answered <= run.scored + run.singles.in_flight


@pytest.mark.parametrize("fail", [Fleet.kill_process, Fleet.lose_machine], ids=["process", "machine"])
def test_the_loss_of_an_instance_loses_no_request_of_a_client_that_retries(fail: Callable[[Fleet], None]) -> None:
    paper = PaperCost(100, (0.02, 0.03))
    scenario = Scenario(Constant(100), 0, 30, 3, scheduling_s=10, settle_s=90, failures=[(5, fail)])
    run = simulate(scenario, costs(paper))
    assert run.singles.requests > 2500
    assert (run.singles.answered, run.singles.given_up) == (run.singles.requests, 0)
    assert {sample.ready for sample in run.samples} == {2, 3}
    slowest = max(run.singles.seconds)
    # The balancer repeats what a killed process had; a silent machine costs its callers the balancer's time-outs.
    assert slowest < 1 if fail is Fleet.kill_process else 15 < slowest < 30


@pytest.mark.parametrize(("retries", "lost"), [(NO_RETRIES, 1), (Retries(), 0)], ids=["no retries", "retries"])
def test_a_silent_machine_costs_its_callers_the_time_out_of_the_balancer(retries: Retries, lost: int) -> None:
    env = simpy.Environment()
    fleet = Fleet(env, lambda: Replica(env, Settings(threads=1)), 3, 5.0)
    clients = Clients(env, fleet, retries, random.Random(1))
    env.process(clients.send_all(Arrival(0.0, [SECOND]) for _ in range(3)))
    env.run(until=0.5)
    fleet.lose_machine()
    env.run()
    assert (clients.outcomes.answered, clients.outcomes.given_up) == (3 - lost, lost)
    assert sorted(clients.outcomes.seconds)[:2] == [1.0, 1.0]
    assert all(16 < seconds < 17 for seconds in sorted(clients.outcomes.seconds)[2:])


def test_without_a_balancer_requests_go_to_a_lost_machine_until_that_is_noticed() -> None:
    env = simpy.Environment()
    fleet = Fleet(env, lambda: Replica(env, Settings(threads=1)), 3, 5.0, KUBERNETES_SERVICE)
    clients = Clients(env, fleet, NO_RETRIES, random.Random(1))
    env.process(clients.send_all(Arrival(at, [SECOND]) for at in (0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 60.0, 60.0, 60.0)))
    env.run(until=0.5)
    fleet.lose_machine()
    env.run()
    assert (clients.outcomes.answered, clients.outcomes.given_up) == (7, 2)


def test_the_autoscaler_has_the_figures_of_the_manifest() -> None:
    autoscaling = Autoscaling.read()
    assert (autoscaling.smallest, autoscaling.largest) == (2, 8)
    assert (autoscaling.queue_depth, autoscaling.utilization) == (16.0, 1.2)
    assert (autoscaling.growth, autoscaling.growth_s) == (1.0, 30.0)
    assert (autoscaling.shrink_after_s, autoscaling.shrink_s) == (600.0, 60.0)


@pytest.mark.parametrize(
    ("depth", "cores", "size", "wanted"),
    [(0, 0, 4, 2), (36, 0, 2, 3), (0, 5.4, 4, 5), (0, 5.2, 4, 4), (1000, 0, 4, 8), (64, 9.6, 4, 8)],
    ids=["idle", "queue", "processors", "within the tolerance", "at its largest", "the larger of both"],
)
def test_the_autoscaler_wants_the_size_at_which_its_metrics_are_on_target(
    depth: float, cores: float, size: int, wanted: int
) -> None:
    env = simpy.Environment()
    fleet = Fleet(env, lambda: Replica(env, Settings(), 0.0), size, 5.0)
    autoscaler = Autoscaler(env, fleet, Autoscaling.read(), 1.0, 0.0)
    assert autoscaler.wanted(Observation(depth, cores), size) == wanted


def test_the_fleet_grows_under_load_and_shrinks_after_it() -> None:
    paper = PaperCost(100, (0.1, 0.1))
    short = replace(Autoscaling.read(), shrink_after_s=60.0, shrink_s=15.0)
    scenario = Scenario(Constant(54), 0, 240, 2, short, metrics_delay_s=0.0, scheduling_s=5.0, settle_s=300)
    run = simulate(scenario, costs(paper), Settings(threads=2))
    ready = [sample.ready for sample in run.samples]
    # The rate alone needs five instances, and the papers that wait until these have started need more.
    assert (ready[0], ready[24], ready[-1]) == (2, 5, 2)
    assert max(ready) > 5
    assert 2 * 540 / 3600 < run.instance_hours < 8 * 540 / 3600
    assert run.singles.given_up == 0


def test_arrivals_follow_the_curve_of_the_day() -> None:
    plan = Plan.read()
    curve = plan.curve
    hours = np.arange(0, DAY_S, 10.0)
    assert curve(hours).mean() * DAY_S == pytest.approx(plan.papers_per_day - plan.backfill_papers, rel=0.01)
    before, after = curve(np.array([18 * 3600 - 1.0, 18 * 3600 + 1.0]))
    assert before - after == pytest.approx(plan.deadline_papers / plan.deadline_ramp_s, rel=0.01)
    times = list(poisson(DailyCurve(86_400, 12, 0.9, 24, 0, 1), 0, DAY_S, np.random.default_rng(1)))
    assert times == sorted(times)
    assert len(times) == pytest.approx(86_400, abs=4 * 86_400**0.5)
    assert np.histogram(times, [0, 21_600, 64_800, DAY_S])[0][1] > 0.7 * len(times)


def test_arrivals_end_within_a_second() -> None:
    times = list(poisson(Constant(1000), 2.5, 4.25, np.random.default_rng(1)))
    assert 2.5 <= min(times) < max(times) < 4.25
    assert len(times) == pytest.approx(1750, abs=4 * 1750**0.5)


def test_costs_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = costs(PaperCost(100, (0.01, 0.02)), PaperCost(300, (0.03, 0.06)))
    written.write(tmp_path / "costs.json")
    assert Costs.read(tmp_path / "costs.json") == written
    assert (written.workers, written.capacity) == (2, 50.0)


def test_the_shipped_costs_name_their_command() -> None:
    shipped = Costs.read()
    assert shipped.command.startswith("python -m benchmarks.")
    assert len(shipped.papers) >= 100


def test_tables_replace_those_of_the_document(tmp_path: Path) -> None:
    document = tmp_path / "scale.md"
    document.write_text("Before\n\n<!-- load -->\nold\n<!-- end -->\n\nAfter\n")
    content = table({"a name": overloaded(end_s=1)})
    for _ in range(2):
        insert(document, {"load": content})
        assert document.read_text() == f"Before\n\n<!-- load -->\n{content}\n<!-- end -->\n\nAfter\n"


def test_pictures_are_drawn_and_tables_have_a_cell_for_each_column(tmp_path: Path) -> None:
    run = overloaded(end_s=2, settle_s=300)
    by_load = {f"{load:.0%}": run for load in LOADS}
    draw_day(run, 100.0, tmp_path / "day.png")
    draw_deadline({"one": run, "other": run}, tmp_path / "deadline.png")
    draw_sweep(by_load, by_load, tmp_path / "load.png")
    assert all(1000 < path.stat().st_size < 150_000 for path in tmp_path.iterdir())
    shipped = Costs.read()
    for content in (
        table({"one": run}),
        sweep_table(by_load, by_load),
        cost_table(run, Plan.read(), shipped),
        costs_table(shipped),
    ):
        assert len({line.count("|") for line in content.splitlines()}) == 1


@pytest.mark.slow
def test_costs_are_measured_and_two_real_instances_are_compared_with_their_simulation(tmp_path: Path) -> None:
    """With the tiny artefact and a second of load; how close both are is for a quiet machine to show."""
    builders.publish(tmp_path / "artefacts")
    papers = write_csv(
        tmp_path / "papers.csv", [{"title": f"quantum star {i}", "abstract": "a proof"} for i in range(40)]
    )
    artefacts = ["--store", str(tmp_path / "artefacts"), "--model", builders.manifest().name]
    main(["measure", str(papers), "--costs", str(tmp_path / "costs.json"), "--threads", "2", *artefacts])
    measured = Costs.read(tmp_path / "costs.json")
    assert (measured.workers, len(measured.papers)) == (2, 40)
    assert measured.start_s > measured.rejection_s > 0
    document = tmp_path / "scale.md"
    document.write_text("<!-- validation -->\n<!-- end -->\n")
    main(["validate", str(papers), "--seconds", "1", "--document", str(document), *artefacts])
    assert document.read_text().count("\n| ") == len(PHASES) + 2
