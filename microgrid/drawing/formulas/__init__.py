"""A graph as mathematics: expressions, simplified, as text, in LaTeX and for SymPy."""
