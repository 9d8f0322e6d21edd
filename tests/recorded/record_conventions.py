"""Record what JAX or PyTorch gives at the formulas below, so that the tests need neither of them.

Run it once in an environment with jax, and once in one with torch (float64, CPU; a minute each):

    python tests/recorded/record_conventions.py jax
    python tests/recorded/record_conventions.py pytorch

Each writes conventions_<framework>.json beside itself: the versions, and one record a line. A
record is a formula of x, y, z, u, v, the operands it is taken at, and the framework's figures:

- value: that of the formula; a list, where the formula is one;
- gradient, hessian: by every operand (forward over reverse mode, the frameworks' own `hessian`);
- third, fourth: derivatives of a formula of one operand, by repeated reverse mode;
- jacobian: of a formula that is a list, a row for each of its numbers;
- jvp, hvp: along the recorded tangent, by forward mode and by forward over reverse mode.

Numbers are exact to the bit; those that are not finite stand as "nan", "inf" and "-inf". A formula
is left out where the framework has no function or no derivative for it, and the program prints so.
Vector math differs in the last bits from one processor to another, so a second recording need not
be identical.
"""

import importlib
import json
import math
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]
Function = Callable[..., Any]

INF, NAN = math.inf, math.nan

# ------------------------------------------------------------------------------------ the points

ORDINARY = [-2.5, -1.0, -0.3, 0.3, 1.0, 2.5]
ANYWHERE = [*ORDINARY, 0.0, -0.0, 1e-10]
POSITIVE = [1e-10, 0.1, 0.5, 1.0, 2.0, 2.5, 10.0, 1000.0]
WITHIN_ONE = [-0.9, -0.5, -1e-10, 0.0, 1e-10, 0.1, 0.3, 0.5, 0.9]
SATURATING = [*ANYWHERE, -1000.0, -40.0, 40.0, 1000.0]
LIMITS = [-INF, INF, NAN]
STEPPED = [-1000.0, -2.5, -2.0, -1.5, -0.5, -0.3, 0.0, 0.3, 0.5, 1.5, 2.0, 1000.0]
PAIRS = [[1.0, 2.0], [-1.5, 0.5], [0.25, -3.0], [-2.0, -0.1]]
ON_AN_AXIS = [[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0], [0.0, -2.0]]
TIES = [[0.0, 0.0], [2.5, 2.5], [-1.0, -1.0]]
WITH_NAN = [[NAN, 1.0], [1.0, NAN]]
TRIPLES = [[1.0, 2.0, 3.0], [-1.2, 0.4, 2.1], [0.0, 0.0, 0.0]]
FOUR = [-1.2, 0.4, 0.4, 2.1]
DIVISIONS = [[7.0, 3.0], [7.5, 2.0], [-7.5, 2.0], [7.5, -2.0], [-7.5, -2.0], [-0.3, 0.7]]
WHOLE_DIVISIONS = [[6.0, 3.0], [-6.0, 3.0], [0.0, 2.5], [1000.0, 0.75]]
FAR_APART = [
    [1000.0, 1000.0, 0.0],
    [-1000.0, -1000.0, -999.0],
    [1000.0, -1000.0, 0.0],
    [1000.0, 999.0, 1.0],
]

OPERANDS = "xyzuv"

Table = list[tuple[str, list[Any]]]  # a formula and its points: numbers, or lists of them

# --------------------------------------------------------------- formulas: value, gradient, hessian

CONVENTIONS: Table = [  # where calculus or floats leave a choice
    ("relu(x)", [NAN]),
    ("maximum(x, 0)", [0.0]),
    ("minimum(x, 0)", [0.0]),
    ("maximum(x, y)", [*TIES, *WITH_NAN]),
    ("minimum(x, y)", [*TIES, *WITH_NAN]),
    ("max([x, y])", [*TIES, *WITH_NAN]),
    ("min([x, y])", TIES),
    ("max([x, y, z])", [[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]]),
    ("min([x, y, z])", [[3.0, 1.0, 1.0], [2.0, 2.0, 2.0]]),
    ("max([x, y, z, u, v])", [[3.0, 1.0, 3.0, 3.0, -3.0]]),
    ("min([x, y, z, u, v])", [[3.0, -3.0, 3.0, -3.0, -3.0]]),
    ("clip(x, 0, 1)", [-0.5, 0.0, 0.5, 1.0, 1.5]),
    ("minimum(maximum(x, 0), 1)", [0.0, 1.0]),
    ("abs(x)", [-0.0]),
    ("abs(x)*x", [0.0]),
    ("sqrt(x)", [0.0, -1.0]),
    ("x**0.5", [0.0]),
    ("cbrt(x)", [0.0]),
    ("log(x)", [0.0, -1.0]),
    ("log1p(x)", [-1.0]),
    ("1/x", [0.0]),
    ("x/y", [[0.0, 0.0], [1.0, 0.0]]),
    ("x**0", [-2.0, 0.0, 3.0]),
    ("x**1", [-2.0, 0.0, 3.0]),
    ("x**2", [-2.0, 0.0, 3.0]),
    ("x**3", [0.0, -2.0]),
    ("x**1.5", [0.0]),
    ("x**2.5", [0.0]),
    ("x**-1", [0.0]),
    ("x**(1/3)", [-8.0]),
    ("x**y", [[0.0, 0.0], [0.0, 0.5], [0.0, 1.0], [0.0, 2.0], [0.0, 2.5], [0.0, 3.0]]),
    ("x**y", [[0.0, -1.0], [-2.0, 3.0], [-2.0, 0.5], [2.0, 0.0], [1.0, 0.0], [1.5, 0.0]]),
    ("0**x", [0.0, 2.0, 0.5]),
    ("(-2)**x", [3.0]),
    ("sqrt(x)**2", [0.0]),
    ("sqrt(x*x)", [0.0, -2.0]),
    ("where(x > 0, sqrt(x), 0*x)", [-1.0, 0.0, 4.0]),
    ("where(x > 0, log(x), x - 1)", [-1.0, 0.5]),
    ("where(x > y, x*x, x*y)", [[1.0, 2.0], [2.0, 1.0], [2.0, 2.0]]),
    ("hypot(x, y)", [[0.0, 0.0]]),
    ("norm([x, y])", [[0.0, 0.0]]),
    ("atan2(x, y)", [[0.0, 0.0]]),
    ("asin(x)", [-1.0, 1.0, 2.0]),
    ("acos(x)", [-1.0, 1.0]),
    ("acosh(x)", [1.0, 0.5]),
    ("atanh(x)", [-1.0, 1.0]),
    ("exp(x)", [1000.0, -1000.0]),
    ("sinh(x)", [1000.0]),
    ("log1p(exp(x))", [-800.0, 800.0]),
    ("logsumexp([x, y])", [[1000.0, 1000.0], [-INF, -INF], [-INF, 0.0], [INF, 0.0]]),
    ("floor(x)", [2.0]),
    ("round(x)", [2.5, -0.5]),
    ("sign(x)", [0.0, -0.0]),
    ("7 % x", [3.0, -3.0]),
    ("x % 0", [1.0]),
    ("prod([x, y, z])", [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]]),
    ("sqrt(mean([(x - (x + y)/2)**2, (y - (x + y)/2)**2]))", [[1.0, 1.0], [1.0, 3.0]]),
    ("x*log(y)", [[0.0, 0.0], [0.0, 2.0]]),
    ("sin(x)/x", [0.0]),
    ("x*x", [INF, NAN]),
    ("x - y", [[INF, INF]]),
    ("stop_gradient(x)*x", [3.0]),
]

OF_ONE: Table = [
    ("exp(x)", [*ANYWHERE, 20.0, *LIMITS]),
    ("exp2(x)", [*ANYWHERE, -2000.0, 10.0]),
    ("expm1(x)", [*ANYWHERE, -1000.0, -40.0, 20.0]),
    ("log(x)", [*POSITIVE, INF, NAN]),
    ("log2(x)", POSITIVE),
    ("log10(x)", POSITIVE),
    ("log1p(x)", [-0.9, -0.5, 0.0, *POSITIVE]),
    ("sqrt(x)", [*POSITIVE, INF]),
    ("cbrt(x)", [-8.0, *POSITIVE]),
    ("sin(x)", [*ANYWHERE, 100.0, INF]),
    ("cos(x)", [*ANYWHERE, 100.0]),
    ("tan(x)", [*ANYWHERE, 1.5]),
    ("asin(x)", WITHIN_ONE),
    ("acos(x)", WITHIN_ONE),
    ("atan(x)", [*SATURATING, *LIMITS]),
    ("sinh(x)", ANYWHERE),
    ("cosh(x)", ANYWHERE),
    ("tanh(x)", [*SATURATING, *LIMITS]),
    ("asinh(x)", [*ANYWHERE, -1000.0, 1000.0]),
    ("acosh(x)", [1.1, 1.5, 2.0, 10.0, 1000.0]),
    ("atanh(x)", WITHIN_ONE),
    ("erf(x)", SATURATING),
    ("erfc(x)", [*SATURATING, 5.0]),
    ("sign(x)", [*STEPPED, NAN]),
    ("floor(x)", [*STEPPED, NAN]),
    ("ceil(x)", [*STEPPED, NAN]),
    ("round(x)", [*STEPPED, NAN]),
    ("abs(x)", [*STEPPED, NAN]),
    ("sigmoid(x)", [*SATURATING, *LIMITS]),
    ("log_sigmoid(x)", SATURATING),
    ("softplus(x)", [*SATURATING, *LIMITS]),
    ("relu(x)", STEPPED),
    ("leaky_relu(x)", STEPPED),
    ("leaky_relu(x, 0.1)", STEPPED),
    ("elu(x)", SATURATING),
    ("elu(x, 0.5)", SATURATING),
    ("gelu(x)", SATURATING),
    ("silu(x)", SATURATING),
    ("softsign(x)", SATURATING),
    ("clip(x, -1, 1)", ANYWHERE),
    ("clip(x, 0.3, None)", ANYWHERE),
    ("clip(x, None, 0)", ANYWHERE),
    ("x**3", ORDINARY),
    ("x**-2", ORDINARY),
    ("x**-1.5", POSITIVE),
    ("x**0.5", POSITIVE),
    ("x**2.5", POSITIVE),
    ("2**x", ORDINARY),
    ("1/x", ORDINARY),
    ("-x", ORDINARY),
    ("5 - 2*x", ORDINARY),
    ("x % 2", [-2.5, -0.3, 0.3, 3.5]),
    ("7 // x", [2.0, -2.0]),
]

OF_SEVERAL: Table = [
    ("x + y", PAIRS),
    ("x - y", PAIRS),
    ("x*y", PAIRS),
    ("x/y", PAIRS),
    ("x % y", [*DIVISIONS, *WHOLE_DIVISIONS]),
    ("x**y", [[2.0, 3.0], [0.5, -1.5], [1.5, 0.5], [9.0, 0.5], [10.0, -2.0], [1.0, 4.0]]),
    ("atan2(x, y)", [*PAIRS, *ON_AN_AXIS, [0.0, -1.0], *TIES[1:]]),
    ("hypot(x, y)", [*PAIRS, *ON_AN_AXIS, [3.0, 4.0], *TIES[1:]]),
    ("maximum(x, y)", [*PAIRS, *ON_AN_AXIS]),
    ("minimum(x, y)", [*PAIRS, *ON_AN_AXIS]),
    ("where(x < y, exp(x), x*y)", PAIRS),
    ("sum([x, y, z, x])", TRIPLES),
    ("mean([x, y, z])", TRIPLES),
    ("prod([x])", [4.0]),
    ("prod([x, y, z])", [*TRIPLES, [1.5, -2.0, 0.5]]),
    ("prod([x, y, z, u, v])", [[1.0, 2.0, 3.0, 4.0, 0.0]]),
    ("dot([x, y], [y, z])", TRIPLES),
    ("max([x])", [0.5]),
    ("max([x, y, z])", [*TRIPLES[:2], *FAR_APART]),
    ("max([x, y, z, u])", [FOUR]),
    ("min([x])", [0.5]),
    ("min([x, y, z])", [*TRIPLES[:2], *FAR_APART]),
    ("min([x, y, z, u])", [FOUR]),
    ("norm([x])", [-2.5]),
    ("norm([x, y])", [[3.0, 4.0]]),
    ("norm([x, y, z])", [*TRIPLES[:2], [1.0, -2.0, 2.0]]),
    ("norm([x, y, z, u])", [[1e-10, 0.0, 0.5, -0.5]]),
    ("logsumexp([x])", [0.5]),
    ("logsumexp([x, y])", [[0.0, 0.0]]),
    ("logsumexp([x, y, z])", [*TRIPLES, *FAR_APART]),
    ("logsumexp([x, y, z, u])", [FOUR]),
    ("softmax([x, y, z])[0]", TRIPLES),
    ("log_softmax([x, y, z])[1]", TRIPLES),
    ("cross_entropy([x, y, z], 2)", [*TRIPLES, *FAR_APART]),
    ("binary_cross_entropy(x, 1.0)", SATURATING),
    ("binary_cross_entropy(x, 0.0)", SATURATING),
    ("binary_cross_entropy(x, 0.25)", SATURATING),
    ("huber(x, 0.0)", [-1.5, -0.5, 0.0, 0.5, 1.5]),
    ("squared_error(x, 1.0)", ORDINARY),
    ("absolute_error(x, 1.0)", [-2.5, 0.5, 2.5]),
    ("hinge(x, 1.0)", [-2.5, 0.5, 2.5, 1.0]),
]

# -------------------------------------------------- formulas of which more is asked: higher, along

HIGHER: Table = [  # of one operand: up to the fourth derivative
    ("tanh(x*x)", [-1.3, 0.0, 0.3, 0.7]),
    ("sigmoid(x)", [-2.0, 0.0, 0.5, 40.0]),
    ("x**3.5", [0.3, 1.0, 2.5]),
    ("exp(-x*x)", [-1.3, 0.0, 0.7]),
    ("sin(x*x)/x", [-1.3, 0.7, 2.0]),
    ("1/(1 + x*x)", [-1.3, 0.0, 0.7]),
    ("x**x", [0.3, 1.0, 2.5]),
    ("log(x)", [0.3, 1.0, 2.5]),
    ("sqrt(1 + x*x)", [-1.3, 0.0, 0.7]),
    ("exp(sin(x))", [-1.3, 0.0, 0.7]),
    ("softplus(x)", [-2.0, 0.0, 1.0]),
    ("log1p(exp(x))", [-2.0, 0.0, 1.0]),
    ("atan(x)", [-1.3, 0.0, 0.7]),
    ("asin(x)", [-0.5, 0.0, 0.7]),
    ("asinh(x)", [-0.5, 0.0, 0.7]),
    ("erf(x)", [-1.3, 0.0, 0.7]),
    ("gelu(x)", [-1.3, 0.0, 0.7]),
    ("silu(x)", [-1.3, 0.0, 0.7]),
    ("tan(x)", [-1.3, 0.0, 0.7]),
    ("x**-2", [-1.3, 0.7]),
    ("x**3", [-1.3, 0.0]),
    ("2**x", [-1.3, 0.0]),
    ("hypot(x, 1)", [-1.3, 0.0, 0.7]),
    ("abs(x)**3", [-1.3, 0.7]),
]

PUBLISHED: Table = [  # each with its hvp along a tangent
    ("(1 - x)**2 + 100*(y - x**2)**2", [[-1.2, 1.0], [1.0, 1.0]]),  # Rosenbrock
    (  # Beale
        "(1.5 - x + x*y)**2 + (2.25 - x + x*y**2)**2 + (2.625 - x + x*y**3)**2",
        [[1.0, 1.0], [3.0, 0.5]],
    ),
    ("(x**2 + y - 11)**2 + (x + y**2 - 7)**2", [[3.0, 2.0], [-0.25, 0.5]]),  # Himmelblau
    ("sin(x + y) + (x - y)**2 - 1.5*x + 2.5*y + 1", [[-0.5, -1.5]]),  # McCormick
    (  # Branin
        "(y - 5.1/39.5*x**2 + 5/3.14*x - 6)**2 + 9.6*cos(x) + 10",
        [[2.5, 7.5]],
    ),
    (  # Ackley
        "20 - 20*exp(-0.2*sqrt((x*x + y*y)/2)) - exp((cos(6.28*x) + cos(6.28*y))/2)",
        [[0.5, -1.25]],
    ),
    ("20 + x**2 - 10*cos(6.28*x) + y**2 - 10*cos(6.28*y)", [[0.3, -0.7]]),  # Rastrigin
    ("-cos(x)*cos(y)*exp(-(x - 3.14)**2 - (y - 3.14)**2)", [[2.5, 3.5]]),  # Easom
    (  # Powell's singular function
        "(x + 10*y)**2 + 5*(z - u)**2 + (y - 2*z)**4 + 10*(x - u)**4",
        [[3.0, -1.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0]],
    ),
    ("logsumexp([x, y, z])", [[0.2, -1.1, 0.7], [1000.0, 999.0, -1000.0]]),
    ("cross_entropy([x, y, z], 1)", [[0.2, -1.1, 0.7], [3.0, 3.0, -2.0]]),
    ("(tanh(x*y + z) - u)**2", [[0.5, -1.5, 0.25, 1.0]]),
    ("x*y*sin(z) + exp(x*u)/(1 + y*y)", [[0.5, -1.5, 0.25, 1.0]]),
    ("sigmoid(x)*log(y)", [[0.5, 2.0]]),
    ("x**y", [[1.5, 2.5]]),
    ("atan2(x, y)", [[1.5, -2.5]]),
    ("hypot(x, y)*prod([x, y, z])", [[1.5, -2.5, 0.5]]),
]
TANGENTS = {1: [1.5], 2: [0.5, -2.0], 3: [1.0, -0.5, 2.0], 4: [0.5, -1.0, 0.25, 2.0]}

LISTS: Table = [  # lists of numbers: value, jacobian and jvp
    ("softmax([x])", [0.5]),
    ("softmax([x, y])", [[0.0, 0.0], [1000.0, 1000.0]]),
    ("softmax([x, y, z])", [*TRIPLES, *FAR_APART]),
    ("softmax([x, y, z, u])", [FOUR]),
    ("log_softmax([x])", [0.5]),
    ("log_softmax([x, y])", [[0.0, 0.0], [1000.0, 1000.0]]),
    ("log_softmax([x, y, z])", [*TRIPLES, *FAR_APART]),
    ("log_softmax([x, y, z, u])", [FOUR]),
    ("[x*cos(y), x*sin(y)]", [[2.0, 0.5]]),
    ("[x*y, x/y, x**y]", [[2.0, 0.5], [0.75, -3.0]]),
    ("[hypot(x, y), atan2(x, y)]", [[3.0, 4.0]]),
    ("[maximum(x, y), minimum(x, y)]", [[1.0, 1.0]]),
]

# ------------------------------------------------------------------------------------ frameworks


class Framework(NamedTuple):
    """A framework's versions, its functions by the names in formulas, and its transforms."""

    versions: dict[str, str]
    names: dict[str, Function]
    number: Function  # an array of no dimensions from a float
    stack: Function
    transforms: Any  # grad, hessian, jacrev, jvp: torch.func has them as JAX does


def jax_framework() -> Framework:
    """Return JAX, with 64-bit floats."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp, nn = jax.numpy, jax.nn

    def of_list(function: Function) -> Function:
        return lambda xs: function(jnp.stack(xs))

    of_numpy = (
        *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "clip"),
        *("cos", "cosh", "exp", "exp2", "expm1", "floor", "hypot", "log", "log10", "log1p", "log2"),
        *("maximum", "minimum", "round", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "where"),
    )
    names = {name: getattr(jnp, name) for name in of_numpy} | {
        "abs": abs,
        "elu": nn.elu,
        "erf": jax.scipy.special.erf,
        "erfc": jax.scipy.special.erfc,
        "gelu": lambda x: nn.gelu(x, approximate=False),
        "leaky_relu": nn.leaky_relu,
        "log_sigmoid": nn.log_sigmoid,
        "relu": nn.relu,
        "sigmoid": nn.sigmoid,
        "silu": nn.silu,
        "softplus": nn.softplus,
        "softsign": nn.soft_sign,
        "stop_gradient": jax.lax.stop_gradient,
        "dot": lambda xs, ys: jnp.dot(jnp.stack(xs), jnp.stack(ys)),
        "log_softmax": of_list(nn.log_softmax),
        "logsumexp": of_list(nn.logsumexp),
        "max": of_list(jnp.max),
        "mean": of_list(jnp.mean),
        "min": of_list(jnp.min),
        "norm": of_list(jnp.linalg.norm),
        "prod": of_list(jnp.prod),
        "softmax": of_list(nn.softmax),
        "sum": of_list(jnp.sum),
        # JAX ships no losses; these two are how its users write them.
        "binary_cross_entropy": lambda x, target: (
            -target * nn.log_sigmoid(x) - (1 - target) * nn.log_sigmoid(-x)
        ),
        "cross_entropy": lambda xs, target: -nn.log_softmax(jnp.stack(xs))[target],
    }
    jaxlib = importlib.import_module("jaxlib")
    versions = {"jax": jax.__version__, "jaxlib": jaxlib.__version__}
    return Framework(versions, names, jnp.float64, jnp.stack, jax)


def pytorch_framework() -> Framework:
    """Return PyTorch, with 64-bit floats as the default, on one thread."""
    torch = importlib.import_module("torch")
    functional = torch.nn.functional
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)

    def number(x: float) -> Any:
        return torch.tensor(float(x))

    def of_list(function: Function) -> Function:
        return lambda xs: function(torch.stack(xs))

    def of_two(function: Function) -> Function:
        def with_numbers(x: Any, y: Any) -> Any:
            return function(x, y if torch.is_tensor(y) else number(y))

        return with_numbers

    of_torch = (
        *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf"),
        *("erfc", "exp", "exp2", "expm1", "floor", "log", "log10", "log1p", "log2", "relu"),
        *("round", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "where"),
    )
    names = {name: getattr(torch, name) for name in of_torch} | {
        "clip": torch.clip,
        "elu": functional.elu,
        "gelu": functional.gelu,
        "leaky_relu": functional.leaky_relu,
        "log_sigmoid": functional.logsigmoid,
        "silu": functional.silu,
        "softplus": functional.softplus,
        "softsign": functional.softsign,
        "stop_gradient": torch.Tensor.detach,
        "atan2": of_two(torch.atan2),
        "hypot": of_two(torch.hypot),
        "maximum": of_two(torch.maximum),
        "minimum": of_two(torch.minimum),
        "dot": lambda xs, ys: torch.dot(torch.stack(xs), torch.stack(ys)),
        "log_softmax": of_list(lambda x: torch.log_softmax(x, 0)),
        "logsumexp": of_list(lambda x: torch.logsumexp(x, 0)),
        "max": of_list(torch.amax),
        "mean": of_list(torch.mean),
        "min": of_list(torch.amin),
        "norm": of_list(torch.linalg.vector_norm),
        "prod": of_list(torch.prod),
        "softmax": of_list(lambda x: torch.softmax(x, 0)),
        "sum": of_list(torch.sum),
        "absolute_error": of_two(functional.l1_loss),
        "binary_cross_entropy": of_two(functional.binary_cross_entropy_with_logits),
        "cross_entropy": lambda xs, target: functional.cross_entropy(
            torch.stack(xs), torch.tensor(target)
        ),
        "hinge": lambda x, target: torch.relu(1 - target * x),
        "huber": of_two(functional.huber_loss),
        "squared_error": of_two(functional.mse_loss),
    }
    return Framework({"torch": str(torch.__version__)}, names, number, torch.stack, torch.func)


FRAMEWORKS = {"jax": jax_framework, "pytorch": pytorch_framework}

# ------------------------------------------------------------------------------------ the figures


def plain(x: Any) -> Any:
    """Return arrays, lists and tuples as lists of floats, with strings for what is not finite."""
    if isinstance(x, str):
        return x
    if isinstance(x, list | tuple) or getattr(x, "ndim", 0):
        return [plain(item) for item in x]
    return float(x) if math.isfinite(x) else str(float(x))


def in_terms_of(framework: Framework, formula: str) -> Function:
    """Return the formula as a function of its operands; raise `NameError` for what is missing."""
    code = compile(formula, formula, "eval")
    if missing := set(code.co_names) - {*framework.names, *OPERANDS}:
        raise NameError(f"no {', '.join(missing)}")

    def function(*operands: Any) -> Any:
        scope = framework.names | dict(zip(OPERANDS, operands, strict=False))
        result = eval(code, {"__builtins__": {}}, scope)
        return framework.stack(result) if isinstance(result, list) else result

    return function


def figures_at_a_point(framework: Framework, function: Function, *x: Any) -> Record:
    """Return the value and the first and second derivatives by every operand."""
    transforms, by_all = framework.transforms, tuple(range(len(x)))
    return {
        "value": function(*x),
        "gradient": transforms.grad(function, argnums=by_all)(*x),
        "hessian": transforms.hessian(function, argnums=by_all)(*x),
    }


def figures_along(framework: Framework, function: Function, *x: Any) -> Record:
    """Return those at a point, and those along a tangent."""
    transforms, by_all = framework.transforms, tuple(range(len(x)))
    along = tuple(map(framework.number, TANGENTS[len(x)]))
    gradient = transforms.grad(function, argnums=by_all)
    return figures_at_a_point(framework, function, *x) | {
        "tangent": along,
        "jvp": transforms.jvp(function, x, along)[1],
        "hvp": transforms.jvp(gradient, x, along)[1],
    }


def figures_of_high_order(framework: Framework, function: Function, x: Any) -> Record:
    """Return those along a tangent, and the third and fourth derivative."""
    grad = framework.transforms.grad
    third = grad(grad(grad(function)))
    return figures_along(framework, function, x) | {"third": third(x), "fourth": grad(third)(x)}


def figures_of_a_list(framework: Framework, function: Function, *x: Any) -> Record:
    """Return the values, their derivatives, and those along a tangent."""
    transforms, by_all = framework.transforms, tuple(range(len(x)))
    along = tuple(map(framework.number, TANGENTS[len(x)]))
    columns = plain(transforms.jacrev(function, argnums=by_all)(*x))
    return {
        "value": function(*x),
        "jacobian": list(zip(*columns, strict=True)),
        "tangent": along,
        "jvp": transforms.jvp(function, x, along)[1],
    }


def record_all(framework: Framework) -> list[Record]:
    """Return a record for every formula and point, and print what the framework lacks."""
    records: dict[tuple[str, str], Record] = {}
    sections: list[tuple[Function, Table]] = [
        (figures_at_a_point, [*CONVENTIONS, *OF_ONE, *OF_SEVERAL]),
        (figures_of_high_order, HIGHER),
        (figures_along, PUBLISHED),
        (figures_of_a_list, LISTS),
    ]
    for figures, table in sections:
        for formula, points in table:
            try:
                function = in_terms_of(framework, formula)
                for point in points:
                    at = point if isinstance(point, list) else [point]
                    found = figures(framework, function, *map(framework.number, at))
                    record = records.setdefault((formula, str(at)), {"formula": formula, "at": at})
                    record |= found
            except (NameError, NotImplementedError, RuntimeError) as lack:
                print(f"left out: {formula}: {lack}")
    return [{key: plain(item) for key, item in record.items()} for record in records.values()]


def main(name: str) -> None:
    """Write the file of a framework."""
    framework = FRAMEWORKS[name]()
    head = {
        "program": f"python tests/recorded/record_conventions.py {name}",
        "versions": framework.versions | {"python": platform.python_version()},
    }
    fields = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    lines = [json.dumps(record, allow_nan=False) for record in record_all(framework)]
    fields.append('"records": [\n  ' + ",\n  ".join(lines) + "\n ]")
    path = Path(__file__).with_name(f"conventions_{name}.json")
    path.write_text("{\n " + ",\n ".join(fields) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
