"""Training natively: the steps of `fit` as calls of kernels, without a node of a graph."""
