"""Parts of tables on a Ray cluster: read by tasks, labelled by one actor per processor."""

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import ray
import ray.data

import cli
from cli.added_columns import AddedColumns, Scores
from cli.bulk.folder import Folder
from cli.bulk.parts import Part, PartLabeller, PartResult, Source, read_parts
from cli.labellers import LocalLabeller
from cli.text_columns import TextColumns, Wanted
from model_store.store import Release, Store
from tables import Options
from tables.writers import CsvStyle


class Plan(NamedTuple):
    """What workers need to know; all of it can be pickled."""

    sources: list[Source]
    output: str
    format: str
    options: Options
    rows_per_part: int
    title: Wanted
    abstract: Wanted
    prefix: str
    scores: Scores | None
    top: int
    uris: bool
    style: CsvStyle


def run_plan(plan: Plan, release: Release, done: frozenset[str], address: str | None) -> Iterator[PartResult]:
    """The results of all parts that are not done yet, in the order in which they are ready.

    The files of `release` travel to the workers. `address` is that of a cluster; None starts
    processes on this machine.
    """
    _connect(address)
    try:
        sources = ray.data.from_items([asdict(source) for source in plan.sources])
        parts = sources.map_batches(
            _read, batch_size=1, num_cpus=0, fn_kwargs={"plan": plan, "done": done}, zero_copy_batch=False
        )
        files = ray.put({path.name: path.read_bytes() for path in release.folder.iterdir()})
        processors = max(1, int(ray.cluster_resources()["CPU"]))
        # Start all actors at once: by default Ray starts one and gives it the next four parts as well.
        actors = ray.data.ActorPoolStrategy(
            min_size=1, max_size=processors, initial_size=processors, max_tasks_in_flight_per_actor=2
        )
        results = parts.map_batches(
            _Actor, batch_size=1, num_cpus=1, compute=actors,
            fn_constructor_kwargs={"plan": plan, "release": release, "files": files},
        )  # fmt: skip
        for row in results.iter_rows():
            yield PartResult(**row)
    finally:
        ray.shutdown()


def _connect(address: str | None) -> None:
    # So that workers find this package if it is not installed but run from a checkout.
    root = str(Path(cli.__file__).parents[1])
    search = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {"env_vars": {"PYTHONPATH": search}}
    local = {} if address else {"include_dashboard": False}
    # Ray's own log would only interrupt the progress line of this command.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.init(address=address, runtime_env=environment, log_to_driver=False, logging_level="error", **local)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # In bytes. Ray distributes whole blocks, and with large ones all parts of a table would go to one actor.
    context.target_max_block_size = 1


def _read(batch: Mapping[str, Any], plan: Plan, done: frozenset[str]) -> Iterator[dict[str, list[Any]]]:
    source = plan.sources[int(batch["number"][0])]
    for part in read_parts(source, plan.options, plan.rows_per_part, done):
        yield {name: [value] for name, value in asdict(part).items()}


class _Actor:
    """Holds a classifier, which reads the files of the artefact from a folder of its own."""

    def __init__(self, plan: Plan, release: Release, files: Any) -> None:
        content: dict[str, bytes] = ray.get(files) if isinstance(files, ray.ObjectRef) else files
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root, release.name, release.version)
            folder.mkdir(parents=True)
            for name, data in content.items():
                (folder / name).write_bytes(data)
            labeller = LocalLabeller(Store(Path(root)).open(release.name, release.version).verified_classifier())
        added = AddedColumns(
            labeller.labels, labeller.model, plan.prefix, scores=plan.scores, top=plan.top, uris=plan.uris
        )
        columns = TextColumns(plan.title, plan.abstract)
        self._label = PartLabeller(
            labeller, plan.sources, columns, added, Folder(plan.output), plan.format, plan.style
        )  # fmt: skip

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        part = Part(**{name: values[0] for name, values in batch.items()})
        return {name: [value] for name, value in asdict(self._label(part)).items()}
