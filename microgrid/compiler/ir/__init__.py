"""LLVM IR of a `Program`, for a processor whose vectors and functions are known."""
