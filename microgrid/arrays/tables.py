"""All tables of NumPy's functions, which are loaded together when the first array is met."""

from . import choices as choices
from . import linalg as linalg
from . import products as products
from . import statistics as statistics
from . import structure as structure
from .elements import Array, array, as_arrays, as_numpy, map_elements
from .protocol import apply_function, apply_named, apply_ufunc

__all__ = [
    "Array", "apply_function", "apply_named", "apply_ufunc", "array", "as_arrays", "as_numpy",
    "map_elements",
]  # fmt: skip
