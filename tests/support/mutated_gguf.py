"""Model files with one or several things wrong in their header, and the processes that load them.

A mutation is made from a sound file: bytes turned over, counts and lengths that lie, entries that
are swapped, doubled, lost or of another type, numbers at their limits, a file cut off. Each is a
function of its number alone, so that a failure can be made again:

    python -m tests.support.mutated_gguf sound.gguf 4711 out.gguf
"""

from __future__ import annotations

import os
import random
import select
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from assistant.models.architectures import DECODERS

PATIENCE = 60.0
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_EXTREME = (0, 1, 2, 3, 7, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1)
_FLOATS = (0.0, -1.0, 1e-45, 1e38, float("nan"), float("inf"), float("-inf"))
_ARCHITECTURES = (
    *("llama", "qwen2", "qwen3", "mistral3", "smollm3", "bert", "t5", "nomic-bert", "clip"),
    *("", "LLAMA", "llama\0x"),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One metadata entry: its key, type and raw value."""

    key: bytes
    kind: int
    value: bytes


@dataclass(frozen=True)
class Info:
    """What the header says of one tensor."""

    name: bytes
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class File:
    """A file taken apart."""

    entries: tuple[Entry, ...]
    infos: tuple[Info, ...]
    data: bytes = field(repr=False)
    counts: tuple[int, int] | None = None
    """What the header claims instead of the true numbers of tensors and entries."""

    def to_bytes(self) -> bytes:
        """The file."""
        tensors, entries = self.counts or (len(self.infos), len(self.entries))
        parts = [b"GGUF", struct.pack("<IQQ", 3, tensors & _U64, entries & _U64)]
        for entry in self.entries:
            parts += [_text(entry.key), struct.pack("<I", entry.kind & _U32), entry.value]
        for info in self.infos:
            parts += [_text(info.name), struct.pack("<I", len(info.shape))]
            parts += [struct.pack("<Q", size & _U64) for size in info.shape]
            parts.append(struct.pack("<IQ", info.kind & _U32, info.offset & _U64))
        header = b"".join(parts)
        return header + bytes(-len(header) % 32) + self.data


_U32, _U64 = 2**32 - 1, 2**64 - 1


def _text(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def take_apart(data: bytes) -> File:
    """Read a sound file."""
    place = 8

    def number(code: str) -> int:
        nonlocal place
        value = struct.unpack_from("<" + code, data, place)[0]
        place += struct.calcsize("<" + code)
        return int(value)

    def text() -> bytes:
        nonlocal place
        size = number("Q")
        place += size
        return data[place - size : place]

    def skip(kind: int) -> None:
        nonlocal place
        if kind == 8:
            text()
        elif kind == 9:
            inner, count = number("I"), number("Q")
            for _ in range(count):
                skip(inner)
        else:
            place += _SIZES[kind]

    tensors, keys = number("Q"), number("Q")
    entries = []
    for _ in range(keys):
        key, kind = text(), number("I")
        start = place
        skip(kind)
        entries.append(Entry(key, kind, data[start:place]))
    infos = []
    for _ in range(tensors):
        name = text()
        shape = tuple(number("Q") for _ in range(number("I")))
        infos.append(Info(name, shape, number("I"), number("Q")))
    return File(tuple(entries), tuple(infos), data[place + -place % 32 :])


def _changed(file: File, chance: random.Random, **edits: Callable[[Entry], Entry]) -> File:
    index = chance.randrange(len(file.entries))
    entry = edits["entry"](file.entries[index])
    return replace(file, entries=(*file.entries[:index], entry, *file.entries[index + 1 :]))


def _value(file: File, chance: random.Random) -> File:
    """A number at its limits, or any; in an array one of its elements."""

    def edit(entry: Entry) -> Entry:
        value = bytearray(entry.value)
        kind, start = entry.kind, 0
        if kind == 8:
            return replace(entry, value=_text(chance.randbytes(chance.choice((0, 1, 9, 300)))))
        if kind == 9:
            kind, count = struct.unpack_from("<IQ", value)
            if kind not in _SIZES or not count:
                return replace(entry, value=_lied(value, 4, chance))
            start = 12 + chance.randrange(count) * _SIZES[kind]
        size = _SIZES[kind]
        number = chance.choice((*_EXTREME, chance.getrandbits(8 * size), -1))
        value[start : start + size] = (number & (256**size - 1)).to_bytes(size, "little")
        if kind in (6, 12):
            value[start : start + size] = struct.pack("<f" if kind == 6 else "<d", _any(chance))
        return replace(entry, value=bytes(value))

    return _changed(file, chance, entry=edit)


def _any(chance: random.Random) -> float:
    value = chance.choice(_FLOATS)
    return value if chance.random() < 0.8 else chance.uniform(-1e6, 1e6)


def _lied(value: bytearray, place: int, chance: random.Random) -> bytes:
    """A length that is not the true one."""
    true = struct.unpack_from("<Q", value, place)[0]
    lie = chance.choice((*_EXTREME, true + 1, max(0, true - 1), true * 2))
    struct.pack_into("<Q", value, place, lie & _U64)
    return bytes(value)


def _length(file: File, chance: random.Random) -> File:
    def edit(entry: Entry) -> Entry:
        value = bytearray(entry.value)
        if entry.kind == 8:
            return replace(entry, value=_lied(value, 0, chance))
        return replace(entry, value=_lied(value, 4, chance)) if entry.kind == 9 else entry

    return _changed(file, chance, entry=edit)


def _array(file: File, chance: random.Random) -> File:
    """An array that is shorter or longer than it was, and says so."""

    def edit(entry: Entry) -> Entry:
        if entry.kind != 9:
            return entry
        kind, count = struct.unpack_from("<IQ", entry.value)
        if kind not in _SIZES:
            kept = chance.choice((0, 1, count // 2, max(0, count - 1)))
            place = 12
            for _ in range(kept):
                place += 8 + struct.unpack_from("<Q", entry.value, place)[0]
            return replace(entry, value=struct.pack("<IQ", kind, kept) + entry.value[12:place])
        kept = chance.choice((0, 1, count // 2, max(0, count - 1), count + 1, count * 2))
        body = (entry.value[12:] * 2 + bytes(64))[: kept * _SIZES[kind]]
        return replace(entry, value=struct.pack("<IQ", kind, kept) + body)

    return _changed(file, chance, entry=edit)


def _kind(file: File, chance: random.Random) -> File:
    def edit(entry: Entry) -> Entry:
        kind = chance.choice((*range(14), _U32))
        if entry.kind == 9 and chance.random() < 0.5:
            return replace(entry, value=struct.pack("<I", kind) + entry.value[4:])
        return replace(entry, kind=kind)

    return _changed(file, chance, entry=edit)


def _converted(file: File, chance: random.Random) -> File:
    """An entry of another type that is well-formed."""
    kind = chance.choice((0, 4, 5, 6, 7, 8, 9, 10, 12))
    values = {8: _text(b"text"), 9: struct.pack("<IQII", 4, 2, 1, 2)}
    size = _SIZES.get(kind, 0)
    value = values.get(kind, chance.choice((bytes(size), b"\x01" + bytes(max(0, size - 1)))))
    return _changed(file, chance, entry=lambda e: replace(e, kind=kind, value=value))


def _key(file: File, chance: random.Random) -> File:
    names = [entry.key for entry in file.entries]

    def edit(entry: Entry) -> Entry:
        lost = bytearray(entry.key or b"x")
        lost[chance.randrange(len(lost))] = chance.randrange(256)
        return replace(entry, key=chance.choice((bytes(lost), b"", chance.choice(names))))

    return _changed(file, chance, entry=edit)


def _lost(file: File, chance: random.Random) -> File:
    index = chance.randrange(len(file.entries))
    return replace(file, entries=file.entries[:index] + file.entries[index + 1 :])


def _swapped(file: File, chance: random.Random) -> File:
    """Two values change places, or two tensors their data or names."""
    if chance.random() < 0.5:
        entries = list(file.entries)
        one, two = chance.randrange(len(entries)), chance.randrange(len(entries))
        first, second = entries[one], entries[two]
        entries[one] = replace(first, kind=second.kind, value=second.value)
        entries[two] = replace(second, kind=first.kind, value=first.value)
        return replace(file, entries=tuple(entries))
    infos = list(file.infos)
    one, two = chance.randrange(len(infos)), chance.randrange(len(infos))
    first, second = infos[one], infos[two]
    if chance.random() < 0.5:
        infos[one] = replace(first, name=second.name)
        infos[two] = replace(second, name=first.name)
    else:
        infos[one] = replace(first, offset=second.offset)
    return replace(file, infos=tuple(infos))


def _tensor(file: File, chance: random.Random) -> File:
    index = chance.randrange(len(file.infos))
    info = file.infos[index]
    sizes = list(info.shape) or [1]
    place = chance.randrange(len(sizes))
    sizes[place] = chance.choice((*_EXTREME, sizes[place] * 2, sizes[place] // 2, 32, 64))
    edits = [
        replace(info, shape=tuple(sizes)),
        replace(info, shape=tuple(reversed(info.shape))),
        replace(info, shape=(*info.shape, chance.choice((1, 2, 2**63)))),
        replace(info, shape=info.shape[:-1]),
        replace(info, kind=chance.choice((*range(45), 2**31, _U32))),
        replace(info, offset=chance.choice((*_EXTREME, info.offset + 32, info.offset + 1))),
        replace(info, name=chance.choice((b"", info.name + b"x", b"\xff\xfe", b"a" * 70))),
    ]
    changed: tuple[Info, ...] = (chance.choice(edits),)
    if chance.random() < 0.15:
        changed = ()
    elif chance.random() < 0.1:
        changed = (info, info)
    return replace(file, infos=(*file.infos[:index], *changed, *file.infos[index + 1 :]))


def _counts(file: File, chance: random.Random) -> File:
    true = (len(file.infos), len(file.entries))
    lies = [chance.choice((*_EXTREME, n, n + 1, n - 1)) for n in true]
    return replace(file, counts=(lies[0], lies[1]))


def _architecture(file: File, chance: random.Random) -> File:
    name = chance.choice((*_ARCHITECTURES, *sorted(DECODERS)))
    renamed = []
    for entry in file.entries:
        if entry.key == b"general.architecture":
            renamed.append(replace(entry, value=_text(name.encode())))
        else:
            renamed.append(replace(entry, key=entry.key.replace(b"llama.", name.encode() + b".")))
    return replace(file, entries=tuple(renamed))


MUTATIONS = (
    _value, _value, _value, _length, _array, _kind, _converted, _converted, _key, _lost, _lost,
    _swapped, _tensor, _tensor, _tensor, _counts, _architecture,
)  # fmt: skip


def mutated(file: File, number: int) -> bytes:
    """Mutation `number` of a file."""
    chance = random.Random(number)
    if chance.random() < 0.25:
        data = bytearray(file.to_bytes())
        header = len(data) - len(file.data)
        if chance.random() < 0.3:
            return bytes(data[: chance.randrange(len(data))])
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(header)] ^= 1 << chance.randrange(8)
        return bytes(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if file.entries and file.infos:
            file = chance.choice(MUTATIONS)(file, chance)
    return file.to_bytes()


@dataclass
class Loader:
    """A process that loads one file after the other, as the daemon does, and tells how it went."""

    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0

    def load(self, path: Path) -> str:
        """`loaded`, `refused: ...`, `exception: ...`, or how the process died of it."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.loading"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(os.fsencode(path) + b"\n")
            process.stdin.flush()
            readable, _, _ = select.select([process.stdout], [], [], PATIENCE)
            answer = process.stdout.readline().decode() if readable else ""
        except BrokenPipeError:
            readable, answer = [process.stdout], ""
        if answer:
            return answer.strip()
        self.close()
        self.deaths += 1
        return f"died: {process.returncode}" if readable else "hung"

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            if self.process.stdin is not None:
                self.process.stdin.close()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None


if __name__ == "__main__":
    Path(sys.argv[3]).write_bytes(
        mutated(take_apart(Path(sys.argv[1]).read_bytes()), int(sys.argv[2]))
    )
