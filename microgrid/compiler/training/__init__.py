"""Training without Python: the epochs of `fit` as native calls of many steps each."""
