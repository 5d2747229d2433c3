"""What a pipeline can go through."""

from __future__ import annotations

from training.world.pipelines.blocks import Source as S

# A table reads better with a block a paragraph than with a word a line.
# fmt: off
_NUMBERS = ("numbers", "integers", "values", "elements", "items")

SOURCES: tuple[S, ...] = (
    S("ints", "int", ("ints",), "{0}", _NUMBERS,
      ("{noun} in {0}", "{noun} of {0}", "{noun} from {0}"), weight=5),
    S("words", "str", ("words",), "{0}", ("words", "strings", "items"),
      ("{noun} in {0}", "{noun} of {0}", "{noun} from {0}"), weight=3),
    S("chars", "char", ("text",), "{0}", ("characters", "chars"),
      ("{noun} of {0}", "{noun} in {0}", "{noun} from {0}"), weight=3),
    S("split", "str", ("text",), "{0}.split()", ("words",),
      ("{noun} in {0}", "{noun} of {0}"), weight=1.6),
    S("digits", "int", ("bign",), "{v}", ("digits",), ("{noun} of {0}", "{noun} in {0}"),
      ("{v} = [int(d) for d in str({0})]",), weight=1.4),
    S("range", "int", ("n",), "range(1, {0} + 1)", ("numbers", "integers"),
      ("{noun} from 1 to {0}", "{noun} between 1 and {0}", "{noun} from 1 up to {0}"), weight=1.4),
    S("below", "int", ("n",), "range({0})", ("numbers", "integers"),
      ("{noun} from 0 up to but not including {0}", "{noun} below {0}", "{noun} from 0 to {0} - 1"),
      weight=0.6),
    S("divisors", "int", ("n",), "{v}", ("divisors", "factors"), ("{noun} of {0}",),
      ("{v} = [d for d in range(1, {0} + 1) if {0} % d == 0]",), weight=1.0),
    S("values", "int", ("scores",), "{0}.values()", ("values",),
      ("{noun} of {0}", "{noun} in {0}"), weight=1.0),
    S("keys", "str", ("scores",), "{0}", ("keys",), ("{noun} of {0}", "{noun} in {0}"), weight=0.8),
    S("entries", "entry", ("scores",), "{0}.items()", ("entries", "items"),
      ("{noun} of {0}", "{noun} in {0}"), weight=1.5),
    S("zip", "pair", ("ints", "ints"), "zip({0}, {1})", ("pairs",),
      ("{noun} of numbers at the same position in {0} and {1}",
      "corresponding {noun} from {0} and {1}",
       "{noun} of elements of {0} and {1}"), weight=1.5),
    S("neighbours", "pair", ("ints",), "zip({0}, {0}[1:])", ("pairs",),
      ("{noun} of neighbours in {0}", "adjacent {noun} in {0}", "consecutive {noun} of {0}"),
      weight=1.2),
    S("rows", "row", ("rows",), "{0}", ("lists", "rows", "sublists"),
      ("{noun} in {0}", "{noun} of {0}"), weight=1.2),
    S("evenplaces", "int", ("ints",), "{0}[::2]", _NUMBERS,
      ("{noun} at even positions of {0}", "{noun} at even indexes in {0}",
      "{noun} of {0} at indices 0, 2, 4 and so on"), weight=0.5),
    S("oddplaces", "int", ("ints",), "{0}[1::2]", _NUMBERS,
      ("{noun} at odd positions of {0}", "{noun} at odd indexes in {0}",
      "{noun} of {0} at indices 1, 3, 5 and so on"), weight=0.5),
    S("firstk", "int", ("ints", "smalln"), "{0}[:{1}]", _NUMBERS,
      ("first {1} {noun} of {0}", "{1} first {noun} in {0}"), weight=0.7),
    S("distinct", "int", ("ints",), "sorted(set({0}))", _NUMBERS,
      ("distinct {noun} in {0} in ascending order", "unique {noun} of {0} from small to large",
       "different {noun} in {0} in sorted order"), weight=0.6),
    S("shared", "int", ("ints", "ints"), "{v}", _NUMBERS,
      ("{noun} of {0} that also occur in {1}", "{noun} that are in both {0} and {1}",
       "{noun} common to {0} and {1}"), ("{v} = [v for v in {0} if v in {1}]",), weight=0.8),
    S("onlyfirst", "int", ("ints", "ints"), "{v}", _NUMBERS,
      ("{noun} of {0} that are not in {1}", "{noun} in {0} missing from {1}"),
      ("{v} = [v for v in {0} if v not in {1}]",), weight=0.7),
    S("joined", "int", ("ints", "ints"), "{0} + {1}", _NUMBERS,
      ("{noun} of {0} and {1} together", "{noun} in {0} followed by {1}"), weight=0.6),
    S("backwards", "int", ("ints",), "reversed({0})", _NUMBERS,
      ("{noun} of {0} in reverse order", "{noun} in {0} from last to first"), weight=0.4),
)
# fmt: on
