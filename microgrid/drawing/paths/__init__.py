"""Why a gradient is what it is: the paths that it is a sum of."""
