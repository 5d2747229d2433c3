"""What a checkpoint with its adapter computes, by transformers' own code, a layer at a time.

The model is built without weights. Its own forward is run once for each row of tokens, with
layers that do nothing but write down what they are given (masks, rotary positions); then each
layer is filled, run over all rows and emptied. Embedding and head are read by rows. So an 8B
model in float32 takes 0.9 GB for a layer, and as much again for the activations of 2,000 tokens.

Absent: generation, caches, and layers that are not of one list (encoders, experts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch import nn

from assistant.errors import ExportProblem
from training.export.merging import Merged

Row: TypeAlias = Sequence[int]
"""Tokens of one sequence."""
Watch: TypeAlias = Callable[[str, torch.Tensor], None]
"""Told of each matrix of a layer, when it is used: its name, and what it is multiplied with,
``(length, inputs)``."""

_READ_BYTES = 64 * 1024 * 1024
"""Of a matrix that is read by rows."""
LOGITS_ROWS = 256
"""Tokens whose logits are in memory at once."""


class Reference:
    """A model that computes in float32 and holds one layer.

    Args:
        model: its weights.
        device: where it computes.

    Raises:
        ExportProblem: transformers does not know the model, or a weight is missing.
    """

    def __init__(self, model: Merged, device: str = "cpu") -> None:
        self._model = model
        self._device = device
        self._shapes = model.shapes
        net: Any = _without_weights(model)
        self._trunk = net.model
        self._layers = list(self._trunk.layers)
        tied = net.config.tie_word_embeddings
        head = "model.embed_tokens.weight" if tied else "lm_head.weight"
        self._trunk.embed_tokens = _Embedding(self, "model.embed_tokens.weight")
        # Its buffers are computed when it is made, and those have no values.
        self._trunk.rotary_emb = type(self._trunk.rotary_emb)(config=net.config).to(device)
        self._fill(self._trunk.norm, "model.norm.")
        # The model's own forward then is what it does behind the last norm: head and scale.
        net.model = _Given()
        net.lm_head = _Head(self, head)
        self._head = net

    @torch.inference_mode()
    def states(
        self,
        rows: Sequence[Row],
        *,
        watch: Watch | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[torch.Tensor]:
        """What the head is given for each row of tokens, ``(length, width)`` each.

        Args:
            rows: sequences of tokens; each is computed by itself.
            watch: told of every matrix in every layer, row by row.
            on_progress: told how many of how many layers are done.
        """
        states, told = self._begin(rows)
        for number, layer in enumerate(self._layers):
            before = f"model.layers.{number}."
            self._fill(layer, before)
            hooks = [] if watch is None else _watched(layer, before, watch)
            for row, options in enumerate(told):
                states[row] = layer(states[row], **options[number])
            for hook in hooks:
                hook.remove()
            layer.to("meta")
            if on_progress is not None:
                on_progress(number + 1, len(self._layers))
        return [self._trunk.norm(state)[0] for state in states]

    @torch.inference_mode()
    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Logits, ``(length, vocabulary)``, for a part of what `states` returns for a row."""
        found: torch.Tensor = self._head(inputs_embeds=states[None]).logits[0]
        return found

    def logits_in_blocks(self, states: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """(first place, logits from there on) for all of a row, `LOGITS_ROWS` at once."""
        for start in range(0, len(states), LOGITS_ROWS):
            yield start, self.logits(states[start : start + LOGITS_ROWS])

    def _begin(self, rows: Sequence[Row]) -> tuple[list[torch.Tensor], list[list[dict[str, Any]]]]:
        """What the first layer is given for each row, and what each layer is told beside it."""
        notes = [_Note() for _ in self._layers]
        self._trunk.layers = nn.ModuleList(notes)
        for row in rows:
            tokens = torch.tensor([list(row)], device=self._device)
            self._trunk(input_ids=tokens, use_cache=False)
        told = [[note.options[row] for note in notes] for row in range(len(rows))]
        return notes[0].states, told

    def _fill(self, part: nn.Module, before: str) -> None:
        """Give a part of the model its weights, whose names begin with `before`."""
        names = part.state_dict().keys()
        values = {name: self._whole(before + name) for name in names}
        part.load_state_dict(values, assign=True)

    def _whole(self, name: str) -> torch.Tensor:
        """A tensor, float32, put together from rows: the merge needs several times their size."""
        if name not in self._shapes:
            raise ExportProblem(f"{self._model.base.folder} has no tensor {name}")
        whole = torch.empty(self._shapes[name], device=self._device)
        for start, part in self.parts(name):
            whole[start : start + len(part)] = part
        return whole

    def parts(self, name: str) -> Iterator[tuple[int, torch.Tensor]]:
        """A tensor by blocks of rows, (first row, rows) each."""
        if name not in self._shapes:
            raise ExportProblem(f"{self._model.base.folder} has no tensor {name}")
        count, *rest = self._shapes[name]
        step = max(1, _READ_BYTES // (4 * max(1, *rest, 1)))
        for start in range(0, count, step):
            yield start, self.rows(name, start, min(start + step, count))

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows of a tensor, on the device."""
        return self._model.rows(name, start, stop).to(self._device)

    def outputs(self, name: str) -> int:
        """Rows that a tensor has."""
        return self._shapes[name][0]


def _without_weights(model: Merged) -> Any:
    """The model as transformers builds it, on the device that holds no values."""
    from transformers import AutoConfig, AutoModelForCausalLM

    make: Any = AutoModelForCausalLM
    described = dict(model.described)
    try:
        config = AutoConfig.for_model(described.pop("model_type"), **described)
        with torch.device("meta"):
            net = make.from_config(config, dtype=torch.float32)
    except (KeyError, ValueError) as error:
        raise ExportProblem(
            f"transformers can not build the model in {model.base.folder}: {error}"
        ) from error
    return net.eval()


class _Note(nn.Module):
    """Stands for a layer: writes down what it is given and hands it on."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[torch.Tensor] = []
        self.options: list[dict[str, Any]] = []

    def forward(self, states: torch.Tensor, **options: Any) -> torch.Tensor:
        self.states.append(states)
        self.options.append(options)
        return states


class _Given(nn.Module):
    """Stands for all that comes before the head: its result is given."""

    def forward(self, inputs_embeds: torch.Tensor, **_: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPast

        return BaseModelOutputWithPast(last_hidden_state=inputs_embeds)


class _Embedding(nn.Module):
    """An embedding of which the rows that are asked for are read."""

    def __init__(self, owner: Reference, name: str) -> None:
        super().__init__()
        # In a tuple, or torch would take the owner's parts for its own.
        self._owner, self._name = (owner,), name

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        different, places = torch.unique(tokens, return_inverse=True)
        read = self._owner[0].rows
        rows = [read(self._name, number, number + 1) for number in different.tolist()]
        return torch.cat(rows)[places]


class _Head(nn.Module):
    """The last matrix, read by rows."""

    def __init__(self, owner: Reference, name: str) -> None:
        super().__init__()
        self._owner, self._name = (owner,), name

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        owner = self._owner[0]
        found = states.new_empty((*states.shape[:-1], owner.outputs(self._name)))
        for start, part in owner.parts(self._name):
            found[..., start : start + len(part)] = states @ part.T
        return found


def _watched(layer: nn.Module, before: str, watch: Watch) -> list[Any]:
    """Hooks that tell `watch` of every matrix of a layer."""

    def hook(name: str) -> Callable[[nn.Module, tuple[torch.Tensor]], None]:
        return lambda _, inputs: watch(name, inputs[0].flatten(0, -2))

    linears = ((n, one) for n, one in layer.named_modules() if isinstance(one, nn.Linear))
    return [one.register_forward_pre_hook(hook(f"{before}{n}.weight")) for n, one in linears]
