"""NumPy's functions on arrays of `Value`s and on traced numbers, by this library's rules.

Transforms and `compile` pass a function an `Array` where it was called with an array: an array of
objects, for which `np.maximum`, `np.sort`, `x.max()`, `x @ y`, `np.linalg.solve` and the others
give the right number, derivative and kernel. A function without a derivative here, such as
`np.fft.fft`, is refused. A single `Value` is treated likewise: `np.maximum(v, 1.0)`.

To make an `Array` from your own `Value`s, call `array`. Arrays that `np.array` makes from them, or
`np.asarray` from an `Array`, are NumPy's own. NumPy's loops call operators and methods of each
element, so that sums, products and `np.exp` are right; but at a tie `np.maximum`, `np.max`,
`np.clip` and `np.sort` give the whole gradient to one element, and they hide nan. The same holds
for lists, which NumPy turns into such arrays: `np.max([v, w])`.

Comparisons give arrays of bools, so that `x[x > 0]` works. In a compiled function they give arrays
of conditions, for `np.where`, `np.select`, `&`, `|`, ``~`` and sums; what needs the number itself
(`np.argmax`, `x[x > 0]`) is refused there.
"""

from typing import TYPE_CHECKING

from ..guards.lazy import lazy

if TYPE_CHECKING:
    from .elements import Array as Array
    from .elements import array as array
    from .elements import map_elements as map_elements
    from .protocol import apply_function as apply_function
    from .protocol import apply_ufunc as apply_ufunc

__all__ = ["Array", "apply_function", "apply_ufunc", "array", "map_elements"]

__getattr__ = lazy(
    __name__, dict.fromkeys(__all__, "tables"), {"numpy": "'microgrid-autodiff[compile]'"}
)


def __dir__() -> list[str]:
    return __all__
