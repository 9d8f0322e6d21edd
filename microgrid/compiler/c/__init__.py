"""C source of a `Program`: one function, straight-line or in loops."""
