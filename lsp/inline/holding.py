"""While no model is able to complete, none is asked at each key: once, and then again later."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.errors import AssistantError, DaemonProblem

HELD_SECONDS = 30.0
_LOADING_SECONDS = 1.0


@dataclass
class Hold:
    """Why nothing is asked at present."""

    reason: str = ""
    _until: float = 0.0
    _settings: object = None
    _failed: bool = False

    def why(self, now: float, settings: object) -> str:
        """The reason, or an empty text: a model may be asked.

        Args:
            now: seconds of any clock.
            settings: other ones than at the failure are worth a try.
        """
        if self.reason and (now >= self._until or settings != self._settings):
            self.reason = ""
        return self.reason

    def failed(self, error: AssistantError, now: float, settings: object) -> str:
        """A request failed; gives the reason."""
        # A daemon that died is started once more by the next request, but not for ever.
        first = isinstance(error, DaemonProblem) and not self._failed
        self._failed = True
        self.reason = str(error.message).rstrip(".")
        self._until = now if first else now + HELD_SECONDS
        self._settings = settings
        return self.reason

    def loading(self, reason: str, now: float, settings: object) -> None:
        """It takes a while until a model is there; asking meanwhile is in vain."""
        self.reason, self._until, self._settings = reason, now + _LOADING_SECONDS, settings

    def worked(self) -> None:
        """A model answered."""
        self.reason, self._failed = "", False
