"""From a call's arguments to a kernel's arrays, and from its results to those of the function."""
