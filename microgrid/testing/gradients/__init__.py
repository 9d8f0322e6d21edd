"""Gradient checks: derivatives against differences, and what is to blame where they differ."""
