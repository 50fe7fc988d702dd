"""Packs ids into a short string for a state: their differences as text, compressed with zlib, in base64."""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from itertools import accumulate, chain, pairwise


def packed(numbers: Iterable[int]) -> str:
    """Packs whole numbers. Sorted ids take about one byte each if they are 10 apart, and 2.4 bytes if 1,000."""
    differences = (later - earlier for earlier, later in pairwise(chain((0,), numbers)))
    return b64encode(zlib.compress(",".join(map(str, differences)).encode(), 9)).decode()


def unpacked(text: str) -> list[int]:
    """The packed numbers, in their original order. Raises `ValueError` for text that `packed` did not make."""
    try:
        differences = zlib.decompress(b64decode(text, validate=True)).decode()
    except zlib.error as error:
        raise ValueError("not packed by the connector") from error
    return list(accumulate(map(int, differences.split(",")))) if differences else []
