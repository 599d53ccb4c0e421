"""Block sizes and memory, before anything is allocated."""

import pytest

from mpsolve.parallel.alone import Alone
from mpsolve.parallel.block_cyclic import BlockCyclic, ProcessGrid
from mpsolve.solvers.dense.sizing import BLOCKS, bytes_needed, choose_block


def layout(n, block):
    return BlockCyclic.create(ProcessGrid.create(Alone()), (n, n), block)


def test_quick_updates_of_any_size_favour_small_blocks():
    assert choose_block(16384, 1, lambda inner: 1e12, 1e11) == BLOCKS[0]


def test_updates_that_need_a_large_inner_size_favour_large_blocks():
    assert choose_block(65536, 1, lambda inner: 1e9 * inner, 1e13) == BLOCKS[-1]


@pytest.mark.parametrize(("n", "ranks"), [(1, 1), (100, 1), (700, 2), (5000, 16)])
def test_every_rank_has_some_blocks_where_n_allows_it(n, ranks):
    block = choose_block(n, ranks, lambda inner: 1e12, 1e11)
    assert 16 <= block <= BLOCKS[-1] and (block == 16 or block * ranks * 6 <= n or block <= n // (ranks * 6) // 16 * 16)


def test_benchmark_mode_needs_little_more_than_the_fp32_matrix():
    n = 16384
    assert 4.0 * n * n <= bytes_needed(layout(n, 256), ["bf16"], stored=False) <= 4.6 * n * n


def test_the_fp64_matrix_is_counted_where_it_is_kept():
    n = 1000
    without, kept = (bytes_needed(layout(n, 50), ["fp32"], stored=stored) for stored in (False, True))
    assert kept - without == 8 * n * n


def test_the_widest_format_decides():
    n = 1000
    assert bytes_needed(layout(n, 50), ["bf16", "fp64"], stored=False) >= 8 * n * n
