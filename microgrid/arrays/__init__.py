"""NumPy's functions on arrays of `Value`s and on traced numbers, by this library's rules.

Transforms and `compile` hand a function an `Array` where it was called with an array: NumPy's own,
of objects, on which `np.maximum`, `np.sort`, `x.max()`, `x @ y`, `np.linalg.solve` and the others
give the right number, derivative and kernel. What has no derivative here, such as `np.fft.fft`, is
refused. A single `Value` is treated likewise: `np.maximum(v, 1.0)`.

An array that you make of `Value`s yourself is an `Array` if you make it by `array`. That of
`np.array`, and what `np.asarray` makes of an `Array`, is NumPy's alone. Its loops call operators
and methods of each element, so that sums, products and `np.exp` are right; but of two that tie
`np.maximum`, `np.max`, `np.clip` and `np.sort` give all of the gradient to one, and they hide nan.
So it is with lists, of which NumPy makes such an array: `np.max([v, w])`.

Comparisons give arrays of bools, so that `x[x > 0]` works. In a compiled function they give arrays
of conditions, for `np.where`, `np.select`, `&`, `|`, `~` and sums; what needs the number itself
(`np.argmax`, `x[x > 0]`) is refused there.
"""

from typing import TYPE_CHECKING

from ..guards.lazy import lazy

if TYPE_CHECKING:
    from .elements import Array as Array
    from .elements import array as array
    from .elements import mapped as mapped
    from .protocol import apply_function as apply_function
    from .protocol import apply_ufunc as apply_ufunc

__all__ = ["Array", "apply_function", "apply_ufunc", "array", "mapped"]

__getattr__ = lazy(
    __name__, dict.fromkeys(__all__, "tables"), {"numpy": "'microgrid-autodiff[compile]'"}
)


def __dir__() -> list[str]:
    return __all__
