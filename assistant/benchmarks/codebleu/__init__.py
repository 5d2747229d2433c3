"""CodeBLEU's two structural scores for Python: average syntax and average data-flow match.

    score(pairs) -> Scores      to_json(scores) -> dict      table(scores) -> str

Definition: https://arxiv.org/abs/2009.10297; data flow: https://arxiv.org/abs/2009.08366. Both
are recalls, averaged over samples, with precision, F1, the corpus value and the chance floor
beside them. They depend on nothing but the texts, the grammar and the Python that says whether
a prediction parses: not on the hash seed, the order of the pairs or the number of processes.

How they differ from the public codes, each a documented defect of theirs: `rules.Rules`.
`CODEBLEU_070` follows codebleu 0.7.0 instead, to compare with published numbers.

Absent on purpose:
- BLEU, the weighted n-gram match and CodeBLEU's weighted total. The total hides which part is
  undefined, and the package's own turns a true 0 of the data flow into 1 (D3).
- Several references to one prediction: the public codes add up their counts; benchmarks have one.
- Other languages than Python.

Limits of the metric, kept: operators, literals and spelling do not count (`a - b` for `a + b`
is a perfect match), and recall favours long answers. Kept of GraphCodeBERT's rules: an
f-string is one token, whatever it refers to; the body of a `for` with an `else` has no data
flow. Report the scores beside pass@1, never instead of it.
"""

from assistant.benchmarks.codebleu.matching import Match, Pair, Sample
from assistant.benchmarks.codebleu.report import table, to_json
from assistant.benchmarks.codebleu.rules import CODEBLEU_070, STANDARD, Order, Rules, Strip
from assistant.benchmarks.codebleu.scoring import Floor, Provenance, Score, Scores, score

__all__ = [
    "CODEBLEU_070",
    "STANDARD",
    "Floor",
    "Match",
    "Order",
    "Pair",
    "Provenance",
    "Rules",
    "Sample",
    "Score",
    "Scores",
    "Strip",
    "score",
    "table",
    "to_json",
]
