"""What a state keeps of many ids is small, and comes back as it was."""

import json
import random
from base64 import b64encode
from zlib import compress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_harvest.state.packing import packed, unpacked


@given(st.lists(st.integers(-(2**70), 2**70)))
def test_numbers_come_back_in_their_order(numbers: list[int]) -> None:
    assert unpacked(packed(numbers)) == numbers


@given(st.lists(st.integers(0, 2**40)))
def test_a_json_string_holds_them_as_they_are(numbers: list[int]) -> None:
    assert json.dumps(packed(numbers)) == f'"{packed(numbers)}"'


@pytest.mark.parametrize(("apart", "bytes_each"), [(10, 1.0), (1000, 2.4)])
def test_an_id_takes_as_few_bytes_as_is_said(apart: int, bytes_each: float) -> None:
    chance, id_, ids = random.Random(0), 3_105_466_204, []
    for _ in range(10_000):
        id_ += chance.randint(1, 2 * apart - 1)
        ids.append(id_)
    assert len(packed(ids)) / len(ids) == pytest.approx(bytes_each, rel=0.1)


@pytest.mark.parametrize(
    "text",
    [
        *("x", "é", "eJw=", "!!!!", b64encode(b"1,2").decode()),
        *(b64encode(compress(inside)).decode() for inside in (b"1,,2", b"a", b"\xff", b"1.5", b" ,")),
    ],
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each of the libraries has its own words
        unpacked(text)
