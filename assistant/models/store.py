"""Which models there are on this machine, and what a name means.

A name is, in this order: nothing or `starter` (the embedded model), the path of a model file, a
file below the models folder, with or without `.gguf`, an alias of the catalogue, or a model of the
hub (`org/repo[:quant]`, `org/repo/file.gguf`) that some program has downloaded. Behind a `+` there
may be an adapter for it, named likewise; one beside the model needs no folder. Nothing is ever
downloaded from here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assistant import locations
from assistant.errors import ModelProblem
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from assistant.models import adapters, catalogue, fill, gguf, memory, names, places
from assistant.models.catalogue import GENERATE, INLINE
from assistant.models.facts import Entry as Entry
from assistant.models.facts import Info as Info
from assistant.models.names import PLUS, Chosen, Reference
from assistant.models.places import Place

EMBEDDED = "starter"
SUFFIX = names.SUFFIX
_SHOWN = 200


def embedded_path() -> Path:
    """The model that comes with the package."""
    return Path(__file__).with_name(EMBEDDED + SUFFIX)


def reference_of(name: str) -> Reference | None:
    """The model of the hub that a name means: an alias, or written out; None for other names.

    Raises:
        ModelProblem: it is written like one, and can not be one.
    """
    recommended = catalogue.by_alias(name)
    return recommended.reference if recommended is not None else names.parse(name)


def choose(name: str = "") -> Chosen:
    """The model that `name` means, and its adapter where it names one.

    Raises:
        ModelProblem: there is none; the message says what there is, or how to get it.
    """
    if PLUS not in name:
        return Chosen(resolve(name))
    try:
        return Chosen(resolve(name))
    except ModelProblem as whole:
        # A file's name may have a plus of its own, on either side.
        places_of = [place for place, char in enumerate(name) if char == PLUS]
        first: ModelProblem | None = None
        for place in places_of:
            try:
                return _with_adapter(name[:place], name[place + 1 :])
            except ModelProblem as problem:
                first = first or problem
        raise (first or whole) from None


def _with_adapter(name: str, adapter: str) -> Chosen:
    if not name or not adapter:
        raise ModelProblem(
            f"{name}{PLUS}{adapter} names a model and an adapter, and one of both is missing.",
            hint=f"Write BASE.gguf{PLUS}ADAPTER.gguf",
        )
    path = resolve(name)
    for file in (adapter, adapter + SUFFIX):
        if (beside := path.parent / file).is_file():
            return Chosen(path, beside)
    return Chosen(path, resolve(adapter))


def resolve(name: str = "") -> Path:
    """The file that `name` means, of a model or an adapter alone; of a split model the first one.

    Raises:
        ModelProblem: there is none; the message says what there is, or how to get it.
    """
    if name in ("", EMBEDDED):
        return _existing(embedded_path(), "The embedded model")
    try:
        given = Path(name).expanduser()
    except RuntimeError as error:
        raise _unreadable(name, "there is no such user's home") from error
    try:
        return _resolved(name, given)
    except OSError as error:
        raise _unreadable(name, error.strerror or str(error)) from error


def _unreadable(name: str, reason: str) -> ModelProblem:
    return ModelProblem(
        f"The model {name[:_SHOWN]!r} can not be looked for: {reason}.",
        hint="Check the path and its permissions, or see which models there are: "
        "assistant models list",
    )


def _resolved(name: str, given: Path) -> Path:
    if given.is_file():
        return _whole(given.absolute())
    for candidate in (name, name + SUFFIX):
        path = locations.models_dir() / candidate
        if path.is_file() and path.suffix == SUFFIX:
            return _whole(path)
    if given.is_absolute() or name.startswith(("./", "../", "~")):
        return _existing(given.absolute(), "The model file")
    reference = reference_of(name)
    if reference is not None:
        return _downloaded(name, reference)
    if given.suffix == SUFFIX:
        return _existing(given.absolute(), "The model file")
    known = ", ".join(entry.name for entry in entries()) or "none"
    raise ModelProblem(
        f"There is no model {name!r} on this machine; there are: {known}.",
        hint=f"Give the path of a .gguf file, put it in {locations.models_dir()}, or download one: "
        "assistant models list",
    )


def _whole(path: Path) -> Path:
    """The first file of the model that `path` belongs to, when all of its files are there."""
    parts = [path.with_name(part) for part in names.parts_of(path.name)]
    for part in parts:
        if not part.is_file():
            raise ModelProblem(
                f"{path} is one of {len(parts)} files of a model, and {part.name} is missing.",
                hint="Put all of them into the same folder.",
            )
    return parts[0]


def _downloaded(name: str, reference: Reference) -> Path:
    found = places.find(reference)
    if found is not None:
        return found[1]
    there = sorted(
        {names.shortest(shelf.repository, file, shelf.files)
         for shelf in places.shelves(reference.repository)
         for file in shelf.files if names.is_first_of_model(file)}
    )  # fmt: skip
    here = f"; of this repository there is: {', '.join(there)}" if there else ""
    what = name if str(reference) == name else f"{name} ({reference})"
    raise ModelProblem(
        f"The model {what} is not on this machine{here}.",
        hint=f"Download it: assistant models pull {name}",
    )


def name_of(path: Path, adapter: Path | None = None) -> str:
    """The shortest name of a model file, and of the adapter that is attached to it."""
    if adapter is not None:
        return f"{name_of(path)}{PLUS}{name_of(adapter)}"
    if path == embedded_path():
        return EMBEDDED
    root = locations.models_dir()
    if path.is_relative_to(root):
        return path.relative_to(root).with_suffix("").as_posix()
    for repository, file in _origins(path):
        for shelf in places.shelves(repository):
            if shelf.files.get(file) == path:
                name = names.shortest(repository, file, shelf.files)
                return name if _leads_to(name, path) else str(path)
    return str(path)


def _origins(path: Path) -> Iterator[tuple[str, str]]:
    """Which repository and file `path` may be, by the layouts of the places."""
    for root in places.hub_roots():
        if path.is_relative_to(root):
            folder, *rest = path.relative_to(root).parts
            if len(rest) > 2 and rest[0] == "snapshots":
                yield folder.removeprefix("models--").replace("--", "/"), "/".join(rest[2:])
    studio = places.lm_studio_folder()
    if studio is not None and path.is_relative_to(studio):
        organisation, *rest = path.relative_to(studio).parts
        if len(rest) > 1:
            yield f"{organisation}/{rest[0]}", "/".join(rest[1:])


def _leads_to(name: str, path: Path) -> bool:
    try:
        reference = names.parse(name)
    except ModelProblem:
        return False
    found = places.find(reference) if reference is not None else None
    return found is not None and found[1] == path


def entries(*, with_adapters: bool = False) -> list[Entry]:
    """Every model that is here: ours, the models folder's, and what programs have downloaded.

    Args:
        with_adapters: adapters as well, which are no models of their own.
    """
    found = {embedded_path(): Place.PACKAGE} if embedded_path().is_file() else {}
    root = locations.models_dir()
    if root.is_dir():
        found |= dict.fromkeys(sorted(root.rglob("*" + SUFFIX)), Place.FOLDER)
    for shelf in places.shelves():
        found |= {path: shelf.place for path in shelf.files.values() if path not in found}
    found |= dict.fromkeys(places.loose_llama_files(), Place.LLAMA_CPP)
    whole = [path for path in found if path.is_file() and names.is_first_of_model(path.name)]
    made = [
        Entry(name_of(path), path, _size(path), found[path], adapters.looks_like_one(path))
        for path in whole
    ]
    return [entry for entry in made if entry.size and (with_adapters or not entry.adapter)]


def _size(path: Path) -> int:
    """Bytes of a model's files; 0 when one of them is missing."""
    try:
        return sum(path.with_name(part).stat().st_size for part in names.parts_of(path.name))
    except OSError:
        return 0


def info(name: str = "") -> Info:
    """Read the header of a model, and of the adapter that is attached to it.

    Raises:
        ModelProblem: there is no such model, its file is broken, or the adapter is of another.
    """
    chosen = choose(name)
    path, adapter = chosen.path, chosen.adapter
    headers = [gguf.read_header(path.with_name(part)) for part in names.parts_of(path.name)]
    _require_all_parts(headers[0], len(headers))
    header = adapters.joined(headers[0], adapter)
    more = adapters.bytes_of(adapter)
    blob = places.is_ollama_blob(path)
    return Info(
        name=name_of(path, adapter),
        path=path,
        size=sum(one.file_size for one in headers) + more,
        title=header.text("general.name") or path.stem,
        architecture=header.architecture,
        parameters=sum(one.parameters for one in headers),
        context_length=header.context_length,
        vocabulary_size=header.vocabulary_size,
        format_name=header.text(METADATA_NAME_KEY),
        format_version=header.integer(METADATA_VERSION_KEY),
        chat=header.text("tokenizer.chat_template") is not None and header.vocabulary_size > 0,
        tensor_types=tuple(dict.fromkeys(kind for one in headers for kind in one.tensor_types)),
        place=places.place_of(path) if path != embedded_path() else Place.PACKAGE,
        fill_lacks=fill.missing(header),
        cache_bytes=memory.cache_bytes(header),
        memory_bytes=memory.estimate(header, memory.context_tokens(header), more).total,
        warning=_OLLAMA if blob else "",
        adapter=adapter,
        is_adapter=adapters.is_adapter(header),
    )


def _require_all_parts(header: gguf.Header, known: int) -> None:
    """The parts of a split model find each other by their names; one that was renamed can not."""
    count = header.integer("split.count") or 1
    if count > 1 and count != known:
        raise ModelProblem(
            f"{header.path} is one of {count} files of a model, and its name does not say so.",
            hint=f"Name them as they were, ending in -00001-of-{count:05}{SUFFIX} and so on, in "
            "one folder.",
        )


_OLLAMA = (
    "This is a file of Ollama's. Some of its models are written for its own engine and do not load "
    "elsewhere; others lack their chat template. The same model from the hub is the safe choice."
)


def use(name: str, role: str = GENERATE) -> Info:
    """Remember `name` as the model for a role, after a look at its file.

    Args:
        name: of the model; '' for the embedded one, and for `inline` the one that answers.
        role: `generate` or `inline`.

    Raises:
        ModelProblem: there is no such model, its file is broken, or it can not do that.
        StateProblem: the settings can not be written.
    """
    from assistant.configfile import set_value

    if role == INLINE and not name:
        from assistant import config

        set_value("inline_model", "")
        return info(config.load().settings.model)
    chosen = info(name)
    _refuse_adapter(chosen)
    if role == INLINE:
        _require_fill(chosen)
        set_value("inline_model", chosen.name)
        return chosen
    if not chosen.chat:
        completes = f", or let it complete: assistant models use {name} --role inline"
        raise ModelProblem(
            f"{chosen.path} has no chat template, so it can not answer requests.",
            hint=f"Choose an instruction-tuned model{completes if chosen.fill else ''}.",
        )
    set_value("model", "" if chosen.name == EMBEDDED else chosen.name)
    return chosen


def _refuse_adapter(chosen: Info) -> None:
    if chosen.is_adapter:
        raise ModelProblem(
            f"{chosen.path} is an adapter, a change to a model, and no model of its own.",
            hint="Name the model that it was tuned from in front of it: "
            f"BASE.gguf{PLUS}{chosen.path.name}",
        )


def _require_fill(chosen: Info) -> None:
    if chosen.fill_lacks:
        raise ModelProblem(
            f"{chosen.name} can not complete: its vocabulary has no token for the "
            f"{' and the '.join(chosen.fill_lacks)}.",
            hint="Choose one with the role inline: assistant models list",
        )


def inline_name(model: str, inline_model: str) -> tuple[str, str]:
    """Which model completes, by the settings `model` and `inline_model`.

    Returns:
        Its name, '' for the embedded one, and why there is none, '' when it can.

    Raises:
        ModelProblem: the model is not there, or its file is broken.
    """
    name = inline_model or model
    lacks = fill.missing(gguf.read_header(choose(name).path))
    if not lacks:
        return name, ""
    return name, f"{name or EMBEDDED} has no token for the {' and the '.join(lacks)}"


def _existing(path: Path, what: str) -> Path:
    if path.is_file():
        return path
    if path.is_dir():
        gguf.read_header(path)
    hint = "See which models there are: assistant models list"
    if path == embedded_path():
        hint = "Make it with: assistant train starter (or choose another: assistant models use)"
    raise ModelProblem(f"{what} {path} does not exist.", hint=hint)
