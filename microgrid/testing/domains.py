"""Domains for the operands of your own primitives."""

from .programs.domains import CONDITION, HELD, LIBRARY, NOT_NEGATIVE, POSITIVE, REAL

__all__ = ["CONDITION", "HELD", "LIBRARY", "NOT_NEGATIVE", "POSITIVE", "REAL"]
