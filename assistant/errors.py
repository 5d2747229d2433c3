"""Every error that a person may read, in one tree.

    AssistantError
    +-- UsageProblem       the command line was used wrongly (exit code 2)
    +-- ConfigProblem      a setting is unknown, ill-typed or contradictory
    +-- StateProblem       a folder or file of ours can not be read or written
    +-- ModelProblem       a model file is missing, broken or unsuitable
    +-- EngineProblem      llama.cpp could not do what was asked
    +-- RequestProblem     this one request can not be served (empty, too long, ...)
    +-- DaemonProblem      the engine daemon can not be started, reached, or has died
    |   +-- AccessProblem  it does not answer this program: no token, or a web page
    +-- EndpointProblem    an external endpoint answered wrongly or not at all
    +-- DataProblem        a data file or row is missing or malformed
    +-- TrainingProblem    a recipe, stage or checkpoint can not be used
    +-- ExportProblem      a model can not be merged or written as GGUF

The message says the value and the likely cause; `hint` says the next command. One function
prints them (`assistant.cli.main`), on stderr, without a traceback unless `--debug` is given.
"""


class AssistantError(Exception):
    """Base of all errors that are shown to the user as they are.

    Args:
        message: the value that was wrong and the likely cause, as a sentence.
        hint: what to type or do next; empty when the message already says it.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageProblem(AssistantError):
    """The command line was used wrongly."""

    exit_code = 2


class ConfigProblem(AssistantError):
    """A setting is unknown, ill-typed or contradicts another."""


class StateProblem(AssistantError):
    """A folder or file that holds our state can not be read or written."""


class ModelProblem(AssistantError):
    """A model file is missing, broken or can not do what is asked of it."""


class EngineProblem(AssistantError):
    """llama.cpp could not load, evaluate or allocate."""


class RequestProblem(AssistantError):
    """This one request can not be served; others can."""


class DaemonProblem(AssistantError):
    """The engine daemon can not be started or reached, or died in mid-answer."""


class AccessProblem(DaemonProblem):
    """The engine daemon does not answer whoever asked."""


class EndpointProblem(AssistantError):
    """An external OpenAI-compatible endpoint answered wrongly or not at all."""


class DataProblem(AssistantError):
    """A data file or row is missing or malformed."""


class TrainingProblem(AssistantError):
    """A recipe, a stage or a checkpoint can not be used."""


class ExportProblem(AssistantError):
    """A model can not be merged, or not written as GGUF."""
