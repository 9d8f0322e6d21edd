"""A graph as a linear map, as a series or as a sum of paths, and the functions made of these."""
