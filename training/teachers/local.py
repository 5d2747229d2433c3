"""A GGUF of this machine as the teacher, through the engine daemon that serves everything else.

No model is loaded here: the daemon is asked like any client asks it, in the background, so that
an editor's request goes first.
"""

from __future__ import annotations

from assistant.client import ChatRequest, Connection, Daemon, Delta, Finished, connect
from assistant.errors import DaemonProblem, RequestProblem
from assistant.format.completion import CODE_HEADING
from training import files
from training.teachers import meter
from training.teachers.calls import Answer, Call, Teacher
from training.teachers.protocol import Broken, Refused

PREFIX = "local:"
AT_ONCE = 4
"""More would only wait in the daemon."""
STOP = (f"## {CODE_HEADING}",)
"""A model that was trained on the whole format goes on to the code, which is not asked for."""


def teacher(name: str) -> Teacher:
    """The model, by its name or path and the digest of its file.

    Raises:
        ModelProblem: there is none.
    """
    from assistant.models import store

    chosen = store.choose(name)
    parts = [files.digest(path)[:16] for path in (chosen.path, chosen.adapter) if path]
    return Teacher(chosen.file_name, "+".join(parts))


class Local:
    """A `Backend`. The connection is made with the first call, and again when the daemon died."""

    def __init__(self, name: str, daemon: Daemon | None = None) -> None:
        self._target = daemon or Daemon(name)
        self._connection: Connection | None = None

    async def aclose(self) -> None:
        """Close the connection; the daemon ends when it is idle."""
        if self._connection is not None:
            await self._connection.aclose()
            self._connection = None

    async def send(self, call: Call) -> Answer:
        """As `Backend.send`."""
        try:
            if self._connection is None:
                self._connection = await connect(self._target)
            return await self._ask(self._connection, call)
        except RequestProblem as problem:
            raise Refused(problem.message) from problem
        except DaemonProblem as problem:
            raise Broken(problem.message) from problem

    async def _ask(self, connection: Connection, call: Call) -> Answer:
        sampling = call.sampling
        request = ChatRequest(
            call.messages,
            max_tokens=sampling.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            stop=sampling.stop,
            priority="background",
        )
        text: list[str] = []
        end = Finished("stop")
        async for chunk in connection.stream_chat(request):
            if isinstance(chunk, Delta) and chunk.channel == "content":
                text.append(chunk.text)
            elif isinstance(chunk, Finished):
                end = chunk
        if end.reason not in ("stop", "length"):
            raise Broken(f"the daemon ended the answer: {end.reason}")
        prompt = end.prompt_tokens or meter.prompt_tokens(call.characters)
        return Answer("".join(text), end.reason, prompt, end.completion_tokens)
