"""The reasons for a gradient: the paths that it is a sum over."""
