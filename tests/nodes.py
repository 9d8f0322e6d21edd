"""Nodes in tests: `==` compares their numbers, and a test mostly means the nodes themselves."""

__all__ = ["same"]


def same(nodes, others):
    """Return whether two sequences hold the same nodes in the same order."""
    return [*map(id, nodes)] == [*map(id, others)]
