"""How much memory a process of its own takes."""

import ctypes
import re
import subprocess
import sys
from typing import Any

import pytest

from source_harvest.api.delivered_rows import NumberSet


def test_a_set_of_numbers_grows_in_the_memory_that_it_keeps() -> None:
    """No more than the old table and the new one are in memory at any moment."""
    code = """if True:
        import tracemalloc
        from source_harvest.api.delivered_rows import NumberSet
        numbers = NumberSet()
        for number in range(1, 2**17 + 1):
            numbers.add(number)
        tracemalloc.start()
        numbers.add(2**17 + 1)
        print(tracemalloc.get_traced_memory()[1])
    """
    peak = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    assert peak < 2**19 * 8 * 1.2
    assert NumberSet().add(0)


HEAPS = """if True:
    import ctypes, sys, threading
    from source_harvest.run import limit_heap

    limit_heap()
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    kept, together = [], threading.Barrier(9)

    def work():
        kept.append(bytes(10_000))
        together.wait()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    together.wait()
    for _ in range(5):
        bytes(20_000_000)  # glibc would take it for a sign that blocks of this size come and go
    kept += [bytes(5_000_000) for _ in range(8)]
    libc.malloc_info(0, ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w")))
    libc.fflush(None)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="the C library is not glibc")
def test_all_threads_share_a_heap_and_large_blocks_leave_it(tmp_path: Any) -> None:
    file = tmp_path / "heaps.xml"
    subprocess.run([sys.executable, "-c", HEAPS, str(file)], check=True)
    said = file.read_text()
    assert len(re.findall("<heap nr=", said)) == 1
    [blocks] = re.findall(r'<total type="mmap" count="(\d+)"', said)
    assert int(blocks) >= 8
