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
    has_failed: bool = False
    """The last request did, too."""

    def why(self, now: float, settings: object) -> str:
        """The reason, or an empty text: a model may be asked.

        Args:
            now: seconds of any clock.
            settings: other ones than at the failure are worth a try.
        """
        if settings != self._settings:
            self.reason, self.has_failed = "", False
        elif now >= self._until:
            self.reason = ""
        return self.reason

    def failed(self, error: AssistantError, now: float, settings: object) -> str:
        """A request failed; gives the reason."""
        held = HELD_SECONDS
        if isinstance(error, RequestProblem):
            held = 0.0
        elif isinstance(error, DaemonProblem | EndpointProblem) and not self.has_failed:
            held = _SHORT_SECONDS
        self.has_failed = True
        self.reason = str(error.message).rstrip(".")
        self._until, self._settings = now + held, settings
        return self.reason

    def unable(self, reason: str, now: float, settings: object, *, soon: bool) -> None:
        """No model can; `soon`: one is on its way."""
        held = _LOADING_SECONDS if soon else HELD_SECONDS
        self.reason, self._until, self._settings = reason, now + held, settings

    def reopened(self) -> None:
        """There is another connection, which is worth a try; one that fails as well is no news."""
        self.reason = ""

    def worked(self) -> None:
        """A model answered."""
        self.reason, self.has_failed = "", False
