"""Protection from mistakes, signals and other threads; it knows nothing of graphs."""
