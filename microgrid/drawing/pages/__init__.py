"""Pages to play with: one file each, which computes without Python and without a network."""
