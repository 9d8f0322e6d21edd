"""From a call's arguments to a kernel's arrays, and from these to what the function returns."""
