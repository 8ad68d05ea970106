"""Reloading while the service runs, for `POST /admin/reload` and for SIGHUP."""

import logging
from typing import Literal

from app.api.errors import KeysRefused
from app.api.keys import ApiKeys
from app.inference.engine import Engine
from app.inference.errors import ReloadRefused
from app.observability import logs
from app.settings import SettingsError


class Reloader:
    """Reloads the API keys and the artefact; if one is refused, the previous one stays in service."""

    def __init__(self, keys: ApiKeys, engine: Engine) -> None:
        self._keys = keys
        self._engine = engine

    async def reload(self, deadline: float | None = None) -> Literal["switched", "unchanged", "accepted"]:
        """Reload both and return whether another artefact is in service now; raises KeysRefused or ReloadRefused.

        "accepted" means that loading was not finished by the deadline, a time.monotonic(), and continues.
        """
        try:
            self._keys.reload()
        except SettingsError as error:
            logs.event(logging.ERROR, "API keys refused", reason=str(error))
            raise KeysRefused(
                "The API key file was refused, the log gives the reason; the previous keys stay valid."
            ) from None
        return await self._engine.reload(deadline)

    async def reload_and_log(self) -> None:
        """Reload for SIGHUP: errors are logged already and not raised."""
        try:
            await self.reload()
        except (KeysRefused, ReloadRefused):
            return
