"""API keys, read from a file with one line per key:

    # name:sha256 of the key, and `:reload` for a key that may also reload the service
    library:<64 hexadecimal digits>
    operator:<64 hexadecimal digits>:reload

The file holds hashes, so reading it does not reveal the keys. A plain hash is enough, since keys are long random
strings that cannot be guessed.
"""

import hashlib
import hmac
import re
from pathlib import Path
from typing import NamedTuple

from app.settings import SettingsError

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_.-]{1,64}):(?P<sha256>[0-9a-f]{64})(?P<reload>:reload)?")
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class ApiKey(NamedTuple):
    """One line of the file."""

    name: str
    sha256: str
    may_reload: bool


class ApiKeys:
    """The keys of one file; without a file, no key is required."""

    def __init__(self, path: Path | None) -> None:
        """Raises SettingsError for a file that cannot be used."""
        self._path = path
        self._keys: list[ApiKey] = []
        self.reload()

    @property
    def required(self) -> bool:
        """Whether callers need a key at all."""
        return self._path is not None

    def reload(self) -> None:
        """Read the file again; raises SettingsError and keeps the previous keys if it cannot be used."""
        if self._path is not None:
            self._keys = _read(self._path)

    def name_of(self, key: str) -> str | None:
        """The name of a key, None if it is unknown; takes the same time for every key."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        names = [known.name for known in self._keys if hmac.compare_digest(known.sha256, digest)]
        return names[0] if names and key else None

    def may_reload(self, name: str | None) -> bool:
        """Whether the key of this name is marked for reloading."""
        return any(key.may_reload for key in self._keys if key.name == name)


def _read(path: Path) -> list[ApiKey]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # Windows editors put a mark at the start
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"PAPERS_API_KEY_FILE is {path}, which cannot be read as text") from None
    keys: list[ApiKey] = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            # Lines are not quoted in errors: somebody may have written the key itself into one.
            where = f"{path}, line {number}"
            keys.append(_check_distinct(_parse(line.strip(), where), keys, where))
    if not keys:
        raise SettingsError(f"{path} holds no key; expected lines of the form name:sha256")
    return keys


def _parse(line: str, where: str) -> ApiKey:
    match = _LINE.fullmatch(line)
    if not match:
        raise SettingsError(
            f"{where}: expected name:sha256 or name:sha256:reload, the hash as 64 lower-case hexadecimal digits"
        )
    if match["sha256"] == _EMPTY_SHA256:
        raise SettingsError(f"{where}: this is the hash of an empty key, which anybody could use; hash a real key")
    return ApiKey(match["name"], match["sha256"], match["reload"] is not None)


def _check_distinct(key: ApiKey, others: list[ApiKey], where: str) -> ApiKey:
    if any(key.name == other.name for other in others):
        raise SettingsError(f"{where}: the name {key.name} is already used in an earlier line; names must be unique")
    if any(key.sha256 == other.sha256 for other in others):
        raise SettingsError(f"{where}: an earlier line has the same key under another name; keys must be unique")
    return key
