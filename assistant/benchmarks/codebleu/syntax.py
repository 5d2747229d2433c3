"""Syntax match: the shapes of a program's subtrees.

The subtrees of a program are its root and every node that has children. Two are the same when
tree-sitter writes the same S-expression for them: named nodes and their fields, so neither
operators nor spelling nor literals count (D5, a limit of the metric). The S-expression of a
subtree contains those of all subtrees below, which makes all of them together quadratic in
depth; here each is a digest of its kind and of what is below it.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from assistant.benchmarks.codebleu.tree import Node


def subtrees(nodes: list[Node]) -> Counter[bytes]:
    """How often each shape of subtree occurs in a program (see `tree.read`)."""
    shown: dict[int, bytes] = {}  # what a node contributes to the shape of its parent
    found: Counter[bytes] = Counter()
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        below = b"".join([shown.pop(id(child)) for child in node.children])
        if not node.named:
            # An operator of two words ("not in"): a subtree that its parent does not show.
            shown[id(node)] = below
            if below or node.children:
                found[_digest(b"anonymous " + node.kind.encode(), below)] += 1
            continue
        if node.children or index == 0:
            shape = _digest(node.shape.encode() or node.kind.encode(), below)
            found[shape] += 1
        else:
            shape = b"(" + node.kind.encode() + b")"
        shown[id(node)] = shape if node.field is None else node.field.encode() + b":" + shape
    return found


def _digest(kind: bytes, below: bytes) -> bytes:
    return hashlib.blake2b(kind + b"\0" + below, digest_size=12).digest()
