"""The commands that list models, choose one, and download one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from assistant.errors import AssistantError, ModelProblem
from lsp.status.arguments import argument_of
from lsp.status.asking import answer_to
from lsp.status.downloading import fetched

if TYPE_CHECKING:
    from assistant.config import Resolved
    from assistant.models.facts import Info
    from assistant.models.offer import Offer
    from lsp.server import AssistantServer

GENERATE, INLINE = "generate", "inline"
_DOES = {GENERATE: "answers", INLINE: "completes"}
_SETTING = {GENERATE: "model", INLINE: "inline_model"}
_NOTHING = "nothing was chosen"


async def models(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.models`: what there is, and what is worth a download."""
    argument_of(params)
    try:
        return {"models": [_row(one) for one in await _offers(server)]}
    except AssistantError as error:
        server.tell(str(error))
        return {"models": [], "reason": str(error)}


async def select_model(
    server: AssistantServer, params: types.ExecuteCommandParams
) -> dict[str, Any]:
    """`assistant.selectModel`: let a model answer, or complete, from now on.

    Returns:
        `{model, role}`; without a model also the `reason`, which the person has been told.
    """
    given = argument_of(params, name=str, role=str)
    name, role = given.get("name"), given.get("role")
    try:
        _refuse(server.engine.resolved(), role)
        if name is None:
            name, role = await _ask_which(server, role)
        if name is None:
            return {"model": None, "role": role, "reason": _NOTHING}
        if await _is_missing(name) and await fetched(server, name, params.work_done_token) is None:
            return {"model": None, "role": role, "reason": f"{name} was not downloaded"}
        return await _use(server, name, role)
    except AssistantError as error:
        server.tell(str(error))
        return {"model": None, "role": role, "reason": str(error)}


async def download(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.download`: fetch a model, if the person says so.

    Returns:
        `{path}`; null with a `reason` when it is not here.
    """
    name = argument_of(params, name=str).get("name")
    if not name:
        raise JsonRpcInvalidParams("assistant.download takes {name}.")
    try:
        if not await _is_missing(name):
            from assistant.models import store

            return {"path": str(await asyncio.to_thread(store.resolve, name))}
        path = await fetched(server, name, params.work_done_token)
    except AssistantError as error:
        server.tell(str(error))
        return {"path": None, "reason": str(error)}
    if path is None:
        return {"path": None, "reason": f"{name} was not downloaded"}
    said = f"{name} is here. It answers once it is selected as the model."
    server.tell(said, types.MessageType.Info)
    return {"path": path}


async def _offers(server: AssistantServer) -> list[Offer]:
    from assistant.models import offer

    settings = server.engine.resolved().settings
    return await asyncio.to_thread(offer.offers, settings)


def _row(one: Offer) -> dict[str, Any]:
    return {
        "name": one.name,
        "size": one.size,
        "here": one.here,
        "fits": one.fits,
        "roles": list(one.roles),
        "current": bool(one.current),
        "currentRoles": list(one.current),
        "licence": one.licence,
        "note": one.note,
    }


def _refuse(resolved: Resolved, role: str | None) -> None:
    """Refuse what can not be chosen here.

    Raises:
        ModelProblem: for which role, or that an endpoint answers.
    """
    if role not in (None, GENERATE, INLINE):
        raise ModelProblem(
            f"{role!r} is no role of a model.", hint=f"There are {GENERATE} and {INLINE}."
        )
    if url := resolved.settings.endpoint.url:
        raise ModelProblem(
            f"Answers come from the endpoint {url}, which has models of its own.",
            hint="Name one of them in the option endpointModel, or leave the option endpoint empty "
            "to choose a model for this machine.",
        )


async def _is_missing(name: str) -> bool:
    """Whether a model has to be downloaded first.

    Raises:
        ModelProblem: the name means nothing that can be.
    """
    from assistant.models import store
    from assistant.models.names import PLUS

    def look() -> bool:
        try:
            store.choose(name)
        except ModelProblem:
            if PLUS in name or store.reference_of(name) is None:
                raise
            return True
        return False

    return await asyncio.to_thread(look)


async def _ask_which(server: AssistantServer, role: str | None) -> tuple[str | None, str | None]:
    """A name and a role, chosen by the person."""
    from assistant.models.download import size_text

    fitting = [
        one
        for one in await _offers(server)
        if one.fits and one.roles and (role is None or role in one.roles)
    ]
    titles = {}
    for one in fitting:
        does = " and ".join(_DOES[each] for each in one.current)
        more = f"{does} now" if does else "here" if one.here else "to download"
        titles[f"{one.name} ({size_text(one.size)}, {more})"] = one
    title = await answer_to(server, "Which model?", [*titles])
    if title is None:
        return None, role
    return titles[title].name, role or titles[title].roles[0]


async def _use(server: AssistantServer, name: str, role: str | None) -> dict[str, Any]:
    """Write the choice into the user's settings, and say what follows from it.

    Raises:
        ModelProblem: the model can not do that.
        StateProblem: the settings can not be written.
    """
    info, does = await asyncio.to_thread(_write, name, role)
    resolved = server.engine.resolved()
    shown = "The model that answers" if does == INLINE and not name else info.name
    said = [f"{shown} {_DOES[does]} from the next request on."]
    origin = resolved.origins[_SETTING[does]]
    if origin == "flag" or origin.startswith("$"):
        whose = "this editor's options" if origin == "flag" else f"the environment ({origin})"
        other = getattr(resolved.settings, _SETTING[does])
        said = [f"{shown} is chosen, and {whose} name {other}, which stands over it."]
    said += [info.warning] if info.warning else []
    said += await asyncio.to_thread(_tight, resolved, info)
    server.status.settings_changed(said[0])
    server.tell("\n".join(said), types.MessageType.Info)
    return {"model": info.name, "role": does}


def _write(name: str, role: str | None) -> tuple[Info, str]:
    from assistant.models import catalogue, store

    if role is None:
        recommended = catalogue.by_alias(name)
        fills_only = recommended is None and _fills_only(name)
        role = recommended.roles[0] if recommended else INLINE if fills_only else GENERATE
    return store.use(name, role), role


def _fills_only(name: str) -> bool:
    from assistant.models import store

    info = store.info(name)
    return info.fill and not info.chat


def _tight(resolved: Resolved, info: Info) -> list[str]:
    from assistant.models import offer

    tight = offer.memory_warning(resolved.settings, info.path, info.adapter)
    return [f"Mind the memory: {tight}"] if tight else []
