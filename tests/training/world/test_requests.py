"""What requests say, and how they state a signature."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from assistant.tasks import Task, TaskKind, find_signature, request_text
from training.world.atoms import ATOMS, build, local_names
from training.world.finish import POSTS
from training.world.names import function_name, parameter_names
from training.world.pipelines.compose import build as build_pipeline
from training.world.pipelines.filters import FILTERS
from training.world.pipelines.maps import MAPS
from training.world.pipelines.reducers import REDUCERS
from training.world.pipelines.sources import SOURCES
from training.world.pipelines.spec import draw

FIELD = re.compile(r"\{(np|np_bare|w|W|bare|t|s|n|c|r|p|x|e|k|[0-9])(![rs])?\}")


def test_a_given_signature_is_found_as_serving_finds_it(problems):
    for problem in problems:
        assert find_signature(problem.request) == problem.signature
        if problem.signature:
            assert problem.code.startswith(problem.signature + "\n")


def test_signatures_are_given_as_often_as_planned(problems):
    forms = Counter(p.form for p in problems)
    share = {form: count / len(problems) for form, count in forms.items()}
    assert 0.22 < share["stub"] < 0.30
    assert 0.55 < sum(p.signature is not None for p in problems) / len(problems) < 0.68
    assert share["none"] > 0.2 and share["named"] > 0.05


def test_the_implement_form_is_the_one_that_is_served(problems):
    stubs = [p for p in problems if p.form == "stub"]
    for problem in stubs:
        stub = problem.request.split("```python\n")[1].removesuffix("\n```")
        assert request_text(Task(stub, TaskKind.IMPLEMENT)) == problem.request
    assert any(">>>" in p.request for p in stubs)
    assert any("    # " in p.request for p in stubs)
    assert any("->" in p.signature for p in stubs)


def test_a_name_is_given_exactly_where_the_form_says_so(problems):
    for problem in problems:
        if problem.form == "named":
            assert problem.name in problem.request
            assert problem.signature is None


def test_requests_are_stripped_and_have_no_unfilled_field(problems):
    for problem in problems:
        assert problem.request == problem.request.strip()
        assert not FIELD.search(problem.request), problem.request
        assert not FIELD.search(problem.construction.goal)
        for step in problem.construction.steps:
            assert not FIELD.search(step), step


def test_every_constant_is_said_in_every_wording():
    """What the code needs and the request leaves out could not be learned."""
    for number in range(1200):
        rng = Random(f"constants:{number}")
        if number % 2:
            spec = draw(rng)
            draft = build_pipeline(spec, parameter_names(None, spec.source.params))
        else:
            atom = ATOMS[(number // 2) % len(ATOMS)]
            names = parameter_names(None, atom.kinds, local_names(atom))
            draft = build(atom, rng, names)
        for said in (draft.word(rng, draft.params), draft.word(None, draft.params)):
            for value in draft.constants:
                assert str(value) in said.text, (said.text, value)


def test_blocks_have_several_wordings():
    assert all(len(f.rel) >= 2 for f in FILTERS)
    assert all(len(m.np) + len(m.do) >= 3 for m in MAPS)
    assert all(len(r.np) + len(r.do) >= 3 for r in REDUCERS)
    assert sum(len(a.says) >= 2 for a in ATOMS) == len(ATOMS)
    assert len(FILTERS) + len(MAPS) + len(REDUCERS) + len(SOURCES) + len(ATOMS) + len(POSTS) > 400


def test_keys_are_unique():
    for blocks in (ATOMS, POSTS, SOURCES):
        assert len({b.key for b in blocks}) == len(blocks)
    for blocks in (FILTERS, MAPS, REDUCERS):
        keys = [(b.items[0], b.key) for b in blocks]
        assert len(set(keys)) == len(keys)


def test_names_are_names_and_differ():
    rng = Random(3)
    names = [function_name(rng, "sum_square_ints") for _ in range(600)]
    assert all(name.isidentifier() for name in names)
    assert len(set(names)) > 350
    assert not {"max", "sum", "list", "return", "filter"} & set(names)
    for _ in range(300):
        params = parameter_names(rng, ("ints", "ints", "text"), frozenset({"nums", "best"}))
        assert len(set(params)) == 3
        assert not {"nums", "best"} & set(params)
