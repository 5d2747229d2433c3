"""Which rows become problems: steps in a fixed order, each one counted.

A step takes rows and gives rows; what it leaves out it names with a reason. Rows flow through all
steps one by one, so that a data set of gigabytes is never in memory as a whole. The same rows and
settings give the same problems in the same order, whatever the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from training.data.duplicates import NearDuplicates
from training.data.problem import Example
from training.data.reference import Preference, candidates
from training.data.rows import Bad, Row
from training.data.text import normalised

Drop = Callable[[str, str], None]
"""Is told the id of a row that is left out, and why."""
Apply = Callable[[Iterator[Row], Drop], Iterator[Row]]
_PICTURE_MARKS = ("![", "<img", "[image]", "<image>", "\\includegraphics", "[picture]")
_EXAMPLE_BYTES = 100_000


@dataclass(frozen=True)
class Step:
    """One step of the funnel."""

    name: str
    """What is true of the rows that are left, for people."""
    apply: Apply


@dataclass
class Count:
    """What one step left out and what it kept."""

    name: str
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    """How many rows for each reason."""
    first: dict[str, str] = field(default_factory=dict)
    """The id of the first row with each reason."""

    def drop(self, name: str, reason: str) -> None:
        """Note one row that is left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        self.first.setdefault(reason, name)


def run(rows: Iterable[Row | Bad], steps: Iterable[Step]) -> tuple[Iterator[Row], list[Count]]:
    """The rows that are left after all steps, and the counts, which are right at the end.

    The first count is of the rows that were read, broken ones included; the second of those that
    are not broken.
    """
    read, whole = Count("rows in the data"), Count("rows that are not broken")
    left: Iterator[Row] = _whole(rows, read, whole)
    counts = [read, whole]
    for step in steps:
        count = Count(step.name)
        counts.append(count)
        left = _counted(step.apply(left, count.drop), count)
    return left, counts


def _whole(rows: Iterable[Row | Bad], read: Count, whole: Count) -> Iterator[Row]:
    for row in rows:
        read.kept += 1
        if isinstance(row, Bad):
            whole.drop(row.id, row.reason)
        else:
            whole.kept += 1
            yield row


def _counted(rows: Iterator[Row], count: Count) -> Iterator[Row]:
    for row in rows:
        count.kept += 1
        yield row


def each(decide: Callable[[Row], Row | str]) -> Apply:
    """A step that looks at one row at a time: `decide` gives a row, or why there is none."""

    def apply(rows: Iterator[Row], drop: Drop) -> Iterator[Row]:
        for row in rows:
            decided = decide(row)
            if isinstance(decided, Row):
                yield decided
            else:
                drop(row.id, decided)

    return apply


def has_solution(row: Row) -> Row | str:
    """Rows without a single solution can not be learned from."""
    return row if row.solutions else "solutions: empty"


def no_picture(row: Row) -> Row | str:
    """A statement that shows a picture is not whole without it."""
    if row.pictures > 0:
        return "needs a picture, says the data"
    lowered = row.statement.lower()
    shown = any(mark in lowered for mark in _PICTURE_MARKS)
    return "shows a picture" if shown else row


def parsing(preference: Preference, count: int, most: int) -> Apply:
    """Keep the preferred solutions that parse (`reference.candidates`)."""

    def decide(row: Row) -> Row | str:
        kept = candidates(row.solutions, preference, count, most)
        return replace(row, solutions=kept) if kept else "no solution is Python 3 and short enough"

    return each(decide)


def short_statement(most: int) -> Apply:
    """Leave out statements of more than `most` characters."""
    return each(lambda row: row if len(row.statement) <= most else "statement: too long")


def few_examples(most: int) -> Apply:
    """Keep the first `most` examples that are not large; no row is left out."""

    def decide(row: Row) -> Row:
        return replace(row, examples=tuple(_small(row.examples))[:most])

    return each(decide)


def _small(examples: Iterable[Example]) -> Iterator[Example]:
    return (one for one in examples if len(one.given) + len(one.expected) <= _EXAMPLE_BYTES)


def fits(count: Callable[[Row, str], int], most: int, reason: str) -> Apply:
    """Keep the solutions with which a row has at most `most` tokens, as `count` counts them."""

    def decide(row: Row) -> Row | str:
        kept = tuple(one for one in row.solutions if count(row, one) <= most)
        return replace(row, solutions=kept) if kept else reason

    return each(decide)


def exact_duplicates() -> Apply:
    """Of statements with the same words the first is kept."""

    def apply(rows: Iterator[Row], drop: Drop) -> Iterator[Row]:
        seen: set[tuple[str, str]] = set()
        for row in rows:
            key = normalised(row.statement), row.signature or ""
            if key in seen:
                drop(row.id, "the same statement as another row")
                continue
            seen.add(key)
            yield row

    return apply


def near_duplicates(threshold: float) -> Apply:
    """Of statements with nearly the same words the first is kept."""

    def apply(rows: Iterator[Row], drop: Drop) -> Iterator[Row]:
        known = NearDuplicates(threshold)
        for row in rows:
            if known.add(row.id, row.statement) is None:
                yield row
            else:
                drop(row.id, "nearly the statement of another row")

    return apply


def decontaminated(find: Callable[[str], str | None]) -> Apply:
    """Leave out statements that repeat a task of a benchmark."""

    def decide(row: Row) -> Row | str:
        found = find(row.statement)
        return row if found is None else f"repeats a task of {found.split()[0]}"

    return each(decide)
