"""An environment for each peer, so that no peer's pins change another's."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def prepare(folder: Path, packages: tuple[str, ...]) -> Path:
    """Create the environment of these packages below `folder`, unless it exists; returns it.

    Without packages it is the service's own, installed from requirements/serve.txt. Raises CalledProcessError if
    something cannot be installed; pip's message is on standard error.
    """
    wanted = list(packages) or ["--no-deps", "--require-hashes", "-r", str(ROOT / "requirements/serve.txt")]
    place = folder / hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:12]
    if (place / "complete").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip: list[str | Path] = [place / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *wanted], check=True)
    (place / "complete").touch()
    return place


def installed_megabytes(place: Path) -> float:
    """Size of the environment's packages, without pip itself."""
    packages = next(place.glob("lib/python*/site-packages"))
    skipped = ("pip", "setuptools")
    files = (
        path
        for part in packages.iterdir()
        if not part.name.startswith(skipped)
        for path in ([part] if part.is_file() else part.rglob("*"))
    )
    return sum(path.stat().st_size for path in files if path.is_file() and not path.is_symlink()) / 1e6


def environ(place: Path, more: dict[str, str]) -> dict[str, str]:
    """The environment variables of a peer's process: its programs first, no settings of the caller's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PAPERS_", "PYTHON"))}
    return inherited | {"PATH": f"{place / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)} | more
