"""All tables of NumPy's functions, loaded together: whoever has an array knows them all."""

from . import choices as choices
from . import linalg as linalg
from . import products as products
from . import statistics as statistics
from . import structure as structure
from .protocol import Array, apply_function, apply_ufunc, array, mapped

__all__ = ["Array", "apply_function", "apply_ufunc", "array", "mapped"]
