"""Gradient checks: derivatives against differences, and the primitive to blame if they differ."""
