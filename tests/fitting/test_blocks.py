"""Batches that are cut from blocks of rows."""

from hypothesis import given
from hypothesis import strategies as st

from microgrid.fitting.blocks import batches


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(1, 20), st.data())
def test_batches_go_through_all_rows_in_the_order_of_the_blocks(sizes, size, data):
    order = data.draw(st.permutations(range(len(sizes))))
    seeds = [data.draw(st.none() | st.integers(0, 9)) for _ in order]
    cut = list(batches(sizes, order, seeds, size))
    pieces = [piece for batch in cut for piece in batch]
    rows = [(p.block, i) for p in pieces for i in range(p.start, p.stop)]
    assert rows == [(block, i) for block in order for i in range(sizes[block])]
    counts = [sum(p.stop - p.start for p in batch) for batch in cut]
    assert counts == [min(size, len(rows) - i) for i in range(0, len(rows), size)]
    assert {(p.block, p.seed) for p in pieces} <= {*zip(order, seeds, strict=True)}
    assert all(p.start < p.stop for p in pieces)
    assert all(p.is_whole == (p.stop - p.start == sizes[p.block]) for p in pieces)
