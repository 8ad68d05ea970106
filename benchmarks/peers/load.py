"""Load on one address: wrk in a closed loop, and an open loop at a fixed rate."""

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

_SCRIPT = """
local bodies = {}
for line in io.lines(%(bodies)s) do bodies[#bodies + 1] = line end
local turn = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
request = function()
  turn = turn %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[turn])
end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"p50": %%f, "p95": %%f, "p99": %%f, "answers": %%d, "us": %%d, "errors": %%d}\\n',
    latency:percentile(50), latency:percentile(95), latency:percentile(99), summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What came of some seconds of load; latencies in milliseconds, of answers with status 200 in the open loop."""

    p50: float
    p95: float
    p99: float
    per_second: float
    errors: int


def closed_loop(url: str, bodies: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Every client sends its next request when the answer to the last one is there (wrk, one thread)."""
    with tempfile.TemporaryDirectory() as folder:
        lines, script = Path(folder, "bodies"), Path(folder, "load.lua")
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        script.write_text(_SCRIPT % {"bodies": json.dumps(str(lines))})
        command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{seconds:g}s"]
        output = subprocess.run(
            [*command, "--timeout", "60s", "--script", script, url], capture_output=True, text=True, check=True
        ).stdout
    found = json.loads(output.splitlines()[-1])
    p50, p95, p99 = (found[name] / 1000 for name in ("p50", "p95", "p99"))
    return Load(p50, p95, p99, 1e6 * found["answers"] / found["us"], found["errors"])


def open_loop(url: str, bodies: Sequence[bytes], rate: float, seconds: float) -> Load:
    """Requests leave at a fixed rate, whatever has been answered.

    Latency counts from the moment at which a request was due, so that a slow server cannot hide the requests that it
    kept from being sent (coordinated omission).
    """
    return asyncio.run(_open_loop(url, bodies, rate, seconds))


async def _open_loop(url: str, bodies: Sequence[bytes], rate: float, seconds: float) -> Load:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    latencies: list[float] = []
    errors = 0

    async with httpx.AsyncClient(limits=limits, timeout=30, headers={"Content-Type": "application/json"}) as client:

        async def send(body: bytes, due: float) -> None:
            nonlocal errors
            try:
                status = (await client.post(url, content=body)).status_code
            except httpx.HTTPError:
                status = 0
            if status == 200:
                latencies.append(time.monotonic() - due)
            else:
                errors += 1

        start = time.monotonic()
        async with asyncio.TaskGroup() as requests:
            for number in range(round(rate * seconds)):
                due = start + number / rate
                await asyncio.sleep(due - time.monotonic())
                requests.create_task(send(bodies[number % len(bodies)], due))
    p50, p95, p99 = 1000 * np.percentile(latencies or [float("nan")], [50, 95, 99])
    return Load(float(p50), float(p95), float(p99), len(latencies) / seconds, errors)
