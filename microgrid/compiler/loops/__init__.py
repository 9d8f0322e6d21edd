"""The order of a program's steps, and the loops it was written with, found again in them."""
