"""A closed loop of clients: wrk, which must be installed."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.load import Load

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
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    summary.requests - errors.status, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
_EXIT_LIMIT_S = 20


def closed_loop(url: str, bodies: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Every client sends its next request when it has the answer to the last one.

    Percentiles are wrk's and include answers that are errors. Raises subprocess.CalledProcessError or TimeoutExpired.
    """
    with tempfile.TemporaryDirectory() as folder:
        lines, script = Path(folder, "bodies"), Path(folder, "load.lua")
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        script.write_text(_SCRIPT % {"bodies": json.dumps(str(lines))})
        command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{seconds:g}s"]
        output = subprocess.run(
            [*command, "--timeout", "60s", "--script", str(script), url],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + _EXIT_LIMIT_S,
        ).stdout
    found = json.loads(output.splitlines()[-1])
    p50, p95, p99 = (found[name] / 1000 for name in ("p50", "p95", "p99"))
    return Load(p50, p95, p99, 1e6 * found["answers"] / found["us"], found["errors"])
