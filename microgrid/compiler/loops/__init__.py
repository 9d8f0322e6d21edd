"""Loops recovered from straight-line programs, in which every turn was written out."""
