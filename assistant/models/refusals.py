"""Why the hub refuses something, and what the user can do about it."""

from __future__ import annotations

from collections.abc import Mapping

from assistant.errors import ModelProblem

TOKEN_PAGE = "https://huggingface.co/settings/tokens"
LONGEST_WAIT = 60.0


def explain(
    status: int,
    headers: Mapping[str, str],
    repository: str,
    *,
    has_token: bool,
    address: str = "https://huggingface.co",
) -> ModelProblem:
    """The error for an answer of the hub that is no success.

    Args:
        status: of HTTP.
        headers: of the answer; the hub says its reason in `X-Error-Code`.
        repository: `org/repo`.
        has_token: whether a token was sent.
        address: of the hub.
    """
    code = headers.get("X-Error-Code", "")
    said = plain(headers.get("X-Error-Message", ""))
    if code == "GatedRepo" or (status == 403 and has_token):
        return gated(repository, has_token=has_token, address=address)
    if status == 401 and has_token:
        return ModelProblem(
            f"The hub refuses the token for {repository}: it is mistyped, expired or revoked.",
            hint=f"Make a new one at {TOKEN_PAGE} and set it: export HF_TOKEN=hf_...",
        )
    if status in (401, 403) or code == "RepoNotFound":
        return ModelProblem(
            f"There is no model repository {repository} on the hub, or it is private.",
            hint="Check the name. If it is private, set a token that may read it: "
            "export HF_TOKEN=hf_...",
        )
    if status == 404:
        what = {"RevisionNotFound": "revision", "EntryNotFound": "file"}.get(code, "model or file")
        return ModelProblem(
            f"The hub has no such {what} in {repository}.", hint="Check the name and --revision."
        )
    return ModelProblem(
        f"The hub answers with status {status} for {repository}{': ' + said if said else ''}."
    )


def gated(repository: str, *, has_token: bool, address: str) -> ModelProblem:
    """The authors ask to accept a licence first: where, and how to show that it was done."""
    steps = [f"Log in and accept the licence at {address}/{repository}"]
    if has_token:
        why = "and the account of your token has not been given access"
        steps.append(f"Check that the token may read gated repositories: {TOKEN_PAGE}")
    else:
        why = "and no token says who you are"
        steps.append(f"Make a token with read access at {TOKEN_PAGE}")
        steps.append("Set it: export HF_TOKEN=hf_...")
    steps.append("Run the same command again")
    lines = [f"{number}. {step}" for number, step in enumerate(steps, 1)]
    return ModelProblem(
        f"{repository} is gated: its authors let those download it who accepted its licence, "
        f"{why}.",
        hint="\n".join(lines),
    )


def retry_after(text: str) -> float:
    """Seconds that a server asks to wait for; 0 when it says none that can be read."""
    try:
        return min(max(float(text), 0.0), LONGEST_WAIT)
    except ValueError:
        return 0.0


def plain(text: str) -> str:
    """What a server said, short and without characters that command a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)[:200].strip()
