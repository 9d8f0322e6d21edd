"""Domains that the operands of a primitive of your own can have."""

from .programs.domains import CONDITION, HELD, LIBRARY, NOT_NEGATIVE, POSITIVE, REAL

__all__ = ["CONDITION", "HELD", "LIBRARY", "NOT_NEGATIVE", "POSITIVE", "REAL"]
