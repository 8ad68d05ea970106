"""An environment for each peer, so that no peer's pins change another's."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SERVICE_PINS = ROOT / "requirements/serve.txt"
_INSTALL_LIMIT_S = 900


class InstallationFailed(Exception):
    """An environment cannot be made; the message is pip's last line."""


def prepare(folder: Path, packages: tuple[str, ...]) -> Path:
    """Create the environment of these packages below `folder`, unless it exists; returns it.

    Without packages it is the service's own, from requirements/serve.txt. Raises InstallationFailed.
    """
    place = folder / _digest(packages)
    if (place / "complete").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    wanted = packages or ("--no-deps", "--require-hashes", "-r", str(_SERVICE_PINS))
    pip = (str(place / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    for command in ((sys.executable, "-m", "venv", str(place)), (*pip, *wanted)):
        _run(command)
    (place / "complete").touch()
    return place


def _digest(packages: tuple[str, ...]) -> str:
    wanted = "\n".join(packages).encode() or _SERVICE_PINS.read_bytes()
    return hashlib.sha256(wanted).hexdigest()[:12]


def _run(command: tuple[str, ...]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise InstallationFailed(f"not installed within {_INSTALL_LIMIT_S} s") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise InstallationFailed(f"pip ended with status {error.returncode}: {last}") from None


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
