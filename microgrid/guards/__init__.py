"""Protection from mistakes, signals and other threads; it imports nothing of the library."""
