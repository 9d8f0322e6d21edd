"""Pictures of a training and of what was learnt: curves, regions, weights, movies."""
