"""A graph read as a linear map, a series or a sum of paths, and the functions made of that."""
