"""Pictures of a training and of its result: curves, regions, weights, movies."""
