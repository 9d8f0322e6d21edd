"""Pictures of a graph: the part to draw, the look of each piece, and the DOT text."""
