"""API keys: a file of `name:sha256` lines. Knows names and hashes; the keys themselves are never kept.

The keys are long random strings, so a plain hash protects them: there is nothing to guess.
"""

import hashlib
import hmac
import re
from pathlib import Path

from app.settings import SettingsError

_LINE = re.compile(r"([A-Za-z0-9_.-]{1,64}):([0-9a-f]{64})")


class ApiKeys:
    """The keys of one file; without a file, everybody may come in."""

    def __init__(self, path: Path | None) -> None:
        """Raises SettingsError for a file that cannot be used."""
        self._path = path
        self._hashes: dict[str, str] = {}
        self.reload()

    @property
    def required(self) -> bool:
        """Whether callers need a key at all."""
        return self._path is not None

    def reload(self) -> None:
        """Read the file again; raises SettingsError and keeps the keys it has if the file is unusable."""
        if self._path is not None:
            self._hashes = _read(self._path)

    def name_of(self, key: str) -> str | None:
        """Whose key this is, None if nobody's; takes the same time whichever it is."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        matches = [name for name, known in self._hashes.items() if hmac.compare_digest(known, digest)]
        return matches[0] if matches else None


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"PAPERS_API_KEY_FILE is {path}, which cannot be read as text") from None
    entries = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    hashes = dict(_parse(path, number, line) for number, line in entries)
    if not hashes:
        raise SettingsError(f"{path} holds no key; expected lines of the form name:sha256 of the key")
    return hashes


def _parse(path: Path, number: int, line: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line.strip())
    if not match:
        # The line is not quoted: somebody may have written the key itself into it.
        raise SettingsError(f"{path}, line {number}: expected name:sha256, the hash as 64 lower-case hex digits")
    return match.group(1), match.group(2)
