"""Kernels in memory: their machine code, the loop over rows, and the arrays that they run over."""
