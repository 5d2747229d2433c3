"""While no model is able to complete, none is asked at each key: once, and then again later."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.errors import AssistantError, DaemonProblem, EndpointProblem, RequestProblem

HELD_SECONDS = 30.0
_SHORT_SECONDS = 2.0
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
        if settings != self._settings:
            self.reason, self._failed = "", False
        elif now >= self._until:
            self.reason = ""
        return self.reason

    def failed(self, error: AssistantError, now: float, settings: object) -> str:
        """A request failed; gives the reason."""
        held = HELD_SECONDS
        if isinstance(error, RequestProblem) or self._died(error):
            held = 0.0
        elif isinstance(error, EndpointProblem) and not self._failed:
            held = _SHORT_SECONDS
        self._failed = True
        self.reason = str(error.message).rstrip(".")
        self._until, self._settings = now + held, settings
        return self.reason

    def _died(self, error: AssistantError) -> bool:
        """A daemon that died is started once more by the next request."""
        return isinstance(error, DaemonProblem) and not self._failed

    def loading(self, reason: str, now: float, settings: object) -> None:
        """It takes a while until a model is there; asking meanwhile is in vain."""
        self.reason, self._until, self._settings = reason, now + _LOADING_SECONDS, settings

    def worked(self) -> None:
        """A model answered."""
        self.reason, self._failed = "", False
