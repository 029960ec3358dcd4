"""LiteLLM's members: taken out of any object without touching the rest, and listed in the docs."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.openai.litellm import OF_NO_USE, READ, REFUSED, read_litellm

PAGE = Path(__file__).parents[3] / "docs" / "coming-from-litellm.md"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([*READ, *OF_NO_USE, "model", "messages", "x"]) | st.text(max_size=4)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.sampled_from([None, 1]))
def test_the_rest_of_any_object_stays_as_it_was(members: list[tuple[str, object]], indent: int | None) -> None:
    gap = "" if indent is None else " "
    body = (
        "{" + f",{gap}".join(f"{json.dumps(name)}:{gap}{json.dumps(value)}" for name, value in members) + "}"
    ).encode()
    kept = [(name, value) for name, value in members if name not in (*READ, *OF_NO_USE)]
    told = read_litellm(body)
    assert json.loads(told.body, object_pairs_hook=list) == json.loads(
        "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in kept) + "}", object_pairs_hook=list
    )
    assert all(name for name in told.tags) and isinstance(told.session, str)
    if len(kept) == len(members):
        assert told.body == body


def test_the_page_lists_every_member() -> None:
    page = PAGE.read_text("utf-8")
    assert not [name for name in (*READ, *OF_NO_USE, *REFUSED) if f"`{name}`" not in page]
