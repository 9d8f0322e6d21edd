"""All tables of NumPy's functions, loaded together: whoever has an array knows them all."""

from . import choices as choices
from . import linalg as linalg
from . import products as products
from . import statistics as statistics
from . import structure as structure
from .elements import Array, adopted, array, mapped
from .protocol import apply_function, apply_named, apply_ufunc

__all__ = ["Array", "adopted", "apply_function", "apply_named", "apply_ufunc", "array", "mapped"]
