"""The laws of an autodiff engine, as text: a claim, a sentence for whoever breaks it, programs.

A line such as `x = 3: y = x * x -> y = 9, x' = 6` is a program: a leaf x is made of 3.0, y of x,
and `y.backward()` is called, as x' is the gradient that it leaves in x. What is wanted stands on
the right: `from 0 to 1` is any number between, `exactly 5 / 3` no other number, not even the next
one, and `or error` says that the program may also raise. The smallest program stands first, so the
first that fails is the one to look at.

LAWS are for every engine; MANNERS are what a small one may do without. FUNCTIONS are methods: name,
value, derivative, and where both are tried. `laws` reads them all.
"""

__all__ = ["FUNCTIONS", "LAWS", "MANNERS"]

LAWS = """
a node used twice gets both shares
Each use of a node has a share in its gradient, and one was lost: add the shares with `+=`, where
`=` keeps the last one alone.
    x = 3: y = x + x -> x' = 2
    x = 3: y = x * x -> x' = 6
    x = 3: y = x + x + x -> x' = 3
    x = 3: y = x * x * x -> x' = 27
    x = 3, w = 2: y = x * w + x -> x' = 3, w' = 3
    x = 3: y = x; for _ in range(200): y = y + x -> x' = 201

a node passes its gradient on once it is complete
A node passed its gradient on before the shares of all its users were in, or passed it on twice:
visit the nodes in topological order, from the root, each after all that use it.
    x = 1: p = x + x; y = p + p -> x' = 4
    x = 2: p = x * x; y = p + p * p -> x' = 36
    x = 2: p = x * x; y = p * p + p -> x' = 36
    x = 2, w = 3: p = x * w; q = p + w; y = q * p + q -> x' = 48, w' = 39
    x = 3: p = x * x; y = p + p * 2.0 -> x' = 18
    x = 1, w = 2: p = x + w; q = p + w; r = q + p; y = r + (q + w) -> x' = 3, w' = 6
    x = 1: p = x; q = x; for _ in range(10): p, q = q, p + q; y = q -> x' = 144

a shared node is walked once
The walk takes every path from the root, and at each shared node the paths double: remember which
nodes have been visited.
    x = 1: y = x; for _ in range(40): y = y + y -> x' = 2**40

a gradient of any size is passed on
The pass stops where gradients are small, or cuts off large ones: pass on whatever there is.
    x = 3, w = 2, v = 1e-9: p = x * w; y = p * v -> x' = 2e-9
    x = 3, w = 2, v = 1e9: p = x * w; y = p * v -> x' = 2e9

nodes with equal numbers are different nodes
Two nodes were taken for one because their numbers are equal: tell nodes apart by `id(node)`, or
keep them in sets and dicts by the `__hash__` that every object has, as lists ask for `==`.
    x = 2, w = 2: y = x + w -> x' = 1, w' = 1
    x = 2, w = 2: p = x * w; q = x + w; y = p + q -> x' = 3, w' = 3
    x = 2, w = 2: p = x * w; q = w * x; y = p * q -> x' = 16, w' = 16
    x = 2, w = 2, u = 1, v = 3: p = x + w; q = u + v; y = p + q -> x' = 1, w' = 1, u' = 1, v' = 1
    x = 2, w = 2: nodes = {x, w} -> len(nodes) = 2 or error

backward is of its own root
The gradient is that of another node than `backward` was called on: begin there, with 1, and touch
nothing that it does not depend on.
    x = 3, w = 4, v = 5: y = x + w -> x' = 1, w' = 1, v' = 0
    x = 3, w = 4: y = x + w; z = y + w -> x' = 1, w' = 1
    x = 3, w = 4, v = 5: y = x + w; z = w + v -> x' = 1, w' = 1, v' = 0
    x = 3: x.backward() -> x.grad = 1 or error

an inner node has its own gradient
After `backward` an inner node shows something else than the derivative of the root with respect to
it: leave what it passed on (or nothing: 0 or None).
    x = 3, w = 4: y = x + w; y.backward() -> y.grad = 1 or 0
    x = 3, w = 4, v = 5: p = x + w; y = p + v; y.backward() -> p.grad = 1 or 0
    x = 3, w = 4, v = 5: p = x * w; y = p * v; y.backward() -> p.grad = 5 or 0

a leaf adds up the gradients of all graphs
The second pass wiped out what the first had left in a leaf: a leaf's gradient is added to, until
someone sets it to 0.
    x = 3, w = 4: y = x + w; z = x + w; y.backward(); z.backward() -> x.grad = 2
    x = 3, w = 4: y = x * w; y.backward(); z = x * w; z.backward() -> x.grad = 8

a second backward adds the same once more
An inner node began the second pass with the gradient of the first, and passed it on again: set
the gradients of inner nodes to 0 when `backward` begins, those of leaves not.
    x = 3, w = 4: y = x + w; y.backward(); y.backward() -> x.grad = 2 or error
    x = 3, w = 4: p = x + w; y = p + w; y.backward(); y.backward() -> x.grad = 2 or error
    x = 3, w = 4: p = x + w; q = p + w; y = q + w; y.backward(); y.backward() -> x.grad = 2 or error
    x = 3: y = x * x * x; y.backward(); y.backward() -> x.grad = 54 or error

between two passes it is enough to zero the leaves
With the leaf set back to 0 the second pass left another gradient than the first: set the gradients
of inner nodes to 0 when `backward` begins.
    x = 3, w = 4: y = x + w; y.backward(); x.grad = 0; y.backward() -> x.grad = 1 or error
    x = 3: p = x + x; y = p + p; y.backward(); x.grad = 0; y.backward() -> x.grad = 4 or error
    x = 3: y = x * x * x; y.backward(); x.grad = 0; y.backward() -> x.grad = 27 or error

two roots may share a node
The shared node began the second root's pass with what the first had left: set the gradients of
inner nodes to 0 when `backward` begins.
    x = 3, w = 4: p = x + w; y = p + w; z = p + w; y.backward(); z.backward() -> x.grad = 2 or error
    x = 3: p = x * x; y = p * 2.0; z = p * 3.0; y.backward(); z.backward() -> x.grad = 30 or error

a root may stand inside another graph
What had been a root kept the 1 that `backward` gave it, and passed it on within the other graph:
set the gradients of inner nodes to 0 when `backward` begins.
    x = 3, w = 4: p = x + w; y = p + w; p.backward(); y.backward() -> x.grad = 2 or error
    x = 3, w = 4: p = x + w; y = p + w; y.backward(); p.backward() -> x.grad = 2 or error
    x = 3, w = 4: p = x * w; p.backward(); y = p * w; y.backward() -> x.grad = 20 or error

a step of gradient descent moves a leaf
A leaf was given a new number, and what was computed from it afterwards did not use it: read the
data of the operands whenever a node is made.
    x = 3, w = 4: y = x + w; x.data = 5.0; y = x + w -> y = 9 or error
    x = 3, w = 4: y = x * w; y.backward(); x.data -= 0.25 * x.grad; y = x * w -> y = 8 or error

x += 1 leaves the old node as it is
The operation changed its operand in place, which changes what was computed from it: return a new
node, and leave `__iadd__` and its like undefined.
    x = 6, w = 2: old = x; x += w -> old = 6 or error
    x = 6, w = 2: old = x; x -= w -> old = 6 or error
    x = 6, w = 2: old = x; x *= w -> old = 6 or error
    x = 6, w = 2: old = x; x /= w -> old = 6 or error
    x = 6: old = x; x += 1.0 -> old = 6 or error
    x = 6: old = x; x -= 1.0 -> old = 6 or error
    x = 6: old = x; x *= 2.0 -> old = 6 or error
    x = 6: old = x; x /= 2.0 -> old = 6 or error
    x = 6: old = x; x **= 2 -> old = 6 or error

a graph may be 5000 nodes deep
The walk over the graph calls itself for each parent, and Python's stack is a thousand calls deep:
keep a list of the nodes that are still to visit.
    x = 1, w = 2: y = x; for _ in range(5000): y = y + w -> y = 10001, x' = 1

x + y has its derivatives
The value is the sum, and the derivative is 1 with respect to x and to y.
    x = 2, w = 3: y = x + w -> y = 5, x' = 1, w' = 1
    x = 0.1, w = 0.2: y = x + w -> y = exactly 0.1 + 0.2
    x = 2: y = x + 4.0 -> y = 6, x' = 1

x - y has its derivatives
The value is the difference, and the derivative is 1 with respect to x and -1 with respect to y,
each added with `+=`.
    x = 5, w = 2: y = x - w -> y = 3, x' = 1, w' = -1
    x = 2: y = x - 4.0 -> y = -2, x' = 1
    x = 3: y = x - x -> y = 0, x' = 0

x * y has its derivatives
The value is the product, and the derivative is y with respect to x and x with respect to y.
    x = 2, w = -3: y = x * w -> y = -6, x' = -3, w' = 2
    x = 0, w = 5: y = x * w -> y = 0, x' = 5, w' = 0
    x = 0.1, w = 0.7: y = x * w -> y = exactly 0.1 * 0.7
    x = 1e-9, w = 1e5: y = x * w -> y = 1e-4, x' = 1e5, w' = 1e-9
    x = 2: y = x * 4.0 -> y = 8, x' = 4
    x = 2: y = x * 0.0 -> y = 0, x' = 0

x / y has its derivatives
The value is the quotient, and the derivative is 1/y with respect to x and -x/y**2 with respect to
y, each added with `+=`.
    x = 6, w = 4: y = x / w -> y = 1.5, x' = 0.25, w' = -0.375
    x = 6, w = -2: y = x / w -> y = -3, x' = -0.5, w' = -1.5
    x = 0, w = 4: y = x / w -> y = 0, x' = 0.25, w' = 0
    x = 6: y = x / 4.0 -> y = 1.5, x' = 0.25
    x = 3: y = x / x -> y = 1, x' = 0

division is one true division
The quotient differs from Python's, as that of `x * y**-1` does, which rounds twice and can
overflow: divide the data with `/`.
    x = 5, w = 3: y = x / w -> y = exactly 5 / 3
    x = 1e-310, w = 1e-310: y = x / w -> y = exactly 1.0 or error
    x = 5: y = x / 3.0 -> y = exactly 5 / 3
    x = 3: y = 5.0 / x -> y = exactly 5 / 3

-x and +x have their derivatives
The derivative of -x is -1, that of +x is 1, each added with `+=`.
    x = 3: y = -x -> y = -3, x' = -1
    x = 3: y = +x -> y = 3, x' = 1
    x = 3: p = -x; y = p + x -> y = 0, x' = 0

a number may stand on the left
With a number as its left operand the operator fails, or is another function: `2 - x` calls
`x.__rsub__(2)`, which has to compute 2 - x by another way than `2 - x`.
    x = 3: y = 2.0 + x -> y = 5, x' = 1
    x = 3: y = 2.0 * x -> y = 6, x' = 2
    x = 3: y = 2.0 - x -> y = -1, x' = -1
    x = 4: y = 2.0 / x -> y = 0.5, x' = -0.125
    x = 4: y = 0.0 / x -> y = 0, x' = 0
    x = 3: p = 2.0 - x; y = p + x -> y = 2, x' = 0
    x = 4: p = 2.0 / x; y = p + x -> y = 4.5, x' = 0.875

sum() adds up nodes
Python's `sum` begins with the int 0 and adds the nodes to it: `0 + x` has to be a node.
    x = 2: y = sum([x]) -> y = 2, x' = 1
    x = 2, w = 3: y = sum([x, w]) -> y = 5, x' = 1, w' = 1

x ** n has its derivative
The derivative of x**n is n * x**(n - 1), where n is a plain number, added with `+=`.
    x = 3: y = x ** 2 -> y = 9, x' = 6
    x = -2: y = x ** 3 -> y = -8, x' = 12
    x = 3: y = x ** 1 -> y = 3, x' = 1
    x = 3: y = x ** 0 -> y = 1, x' = 0
    x = 4: y = x ** -1 -> y = 0.25, x' = -0.0625
    x = -2: y = x ** -2 -> y = 0.25, x' = 0.25
    x = 4: y = x ** 0.5 -> y = 2, x' = 0.25
    x = 4: y = x ** 2.5 -> y = 32, x' = 20
    x = 3: p = x ** 2; y = p + x -> y = 12, x' = 7

x ** 0, x ** 1 and x ** 2 are smooth at 0
At x = 0 the derivative n * x**(n - 1) divides by zero where n is 0, or is not a number: that of
x**0 is 0 everywhere.
    x = 0: y = x ** 0 -> y = 1, x' = 0
    x = 0: y = x ** 1 -> y = 0, x' = 1
    x = 0: y = x ** 2 -> y = 0, x' = 0

a negative base never turns complex
Python's `**` gives a complex number for a negative base and a fractional exponent, and the gradient
becomes complex too: raise a ValueError, as `math.pow` does, or give nan.
    x = -4: y = x ** 0.5 -> y = nan or error
    x = -8: y = x ** (1 / 3) -> y = nan or error
    x = -4, w = 0.5: y = x ** w -> y = nan or error
    x = 0.5: y = (-4.0) ** x -> y = nan or error

2 ** x has its derivative
The derivative of 2**x is 2**x * log(2).
    x = 3: y = 2.0 ** x -> y = 8, x' = 8 * log(2)
    x = -1: y = 0.5 ** x -> y = 2, x' = 2 * log(0.5)

x ** y has both derivatives
The derivative of x**y is y * x**(y - 1) with respect to x and x**y * log(x) with respect to y: an
exponent that is a node has a gradient of its own.
    x = 2, w = 3: y = x ** w -> y = 8, x' = 12, w' = 8 * log(2)
    x = 2: y = x ** x -> y = 4, x' = 4 * (log(2) + 1)
    x = 0, w = 2: y = x ** w -> y = 0, x' = 0, w' = 0 or error
    x = -2, w = 3: y = x ** w -> y = -8, x' = 12 or error

x % y and x // y have their derivatives
x % y is x - y * (x // y), and x // y is flat: the derivative of x % y is 1 with respect to x and
-(x // y) with respect to y.
    x = 7.5, w = 2: y = x % w -> y = 1.5, x' = 1, w' = -3
    x = -7.5: y = x % 2.0 -> y = 0.5, x' = 1
    x = 7.5, w = 2: y = x // w -> y = 3, x' = 0, w' = 0
    x = -7.5: y = x // 2.0 -> y = -4, x' = 0

abs(x) has its derivative
The derivative of abs(x) is the sign of x, added with `+=`; at 0 it is a number from -1 to 1.
    x = -3: y = abs(x) -> y = 3, x' = -1
    x = 2: y = abs(x) -> y = 2, x' = 1
    x = 0: y = abs(x) -> y = 0, x' = from -1 to 1
    x = -3: p = abs(x); y = p + x -> y = 0, x' = 0

comparisons compare the numbers
The comparison does not say what the numbers say: return a bool, of the data of both operands.
    x = 2, w = 3: less = x < w -> bool(less) = True
    x = 3, w = 3: less = x < w -> bool(less) = False
    x = 3, w = 2: less = x < w -> bool(less) = False
    x = 3, w = 2: greater = x > w -> bool(greater) = True
    x = 3, w = 3: greater = x > w -> bool(greater) = False
    x = 2, w = 3: greater = x > w -> bool(greater) = False
    x = 3, w = 3: at_most = x <= w -> bool(at_most) = True
    x = 3, w = 2: at_most = x <= w -> bool(at_most) = False
    x = 3, w = 3: at_least = x >= w -> bool(at_least) = True
    x = 2, w = 3: at_least = x >= w -> bool(at_least) = False
    x = 2, w = 3: y = max(x, w) -> y = 3

a whole number is a number
With ints as data a result differs from that with floats, or there is none: turn the data into a
float when a node is made, or refuse ints.
    x = Value(3) -> x = 3 or error
    x = Value(3); w = Value(4); y = x + w -> y = 7, x' = 1, w' = 1 or error
    x = Value(3); w = Value(4); y = x * w -> y = 12, x' = 4, w' = 3 or error
    x = Value(5); w = Value(2); y = x / w -> y = 2.5, x' = 0.5, w' = -1.25 or error
    x = Value(2); y = x ** -1 -> y = 0.5, x' = -0.25 or error

a kink has a slope between those beside it
At a point where two straight lines meet, the derivative is a number from the slope of the one to
that of the other.
    x = 0: y = x.relu() -> y = 0, x' = from 0 to 1
    x = 0: y = x.abs() -> y = 0, x' = from -1 to 1
    x = 0: y = x.leaky_relu(0.1) -> y = 0, x' = from 0.1 to 1

x.leaky_relu(slope) has its derivative
The derivative is 1 where x is positive, and the slope where it is negative.
    x = 2: y = x.leaky_relu(0.1) -> y = 2, x' = 1
    x = -3: y = x.leaky_relu(0.1) -> y = -0.3, x' = 0.1

a clamp is flat outside of its bounds
Where the number was cut off the result does not depend on it: the derivative is 0 there, and 1
between the bounds.
    x = 0.5: y = x.clip(0.0, 1.0) -> y = 0.5, x' = 1
    x = 2: y = x.clip(0.0, 1.0) -> y = 1, x' = 0
    x = -2: y = x.clip(0.0, 1.0) -> y = 0, x' = 0
    x = 1: y = x.clip(0.0, 1.0) -> y = 1, x' = from 0 to 1
    x = 0.5: y = x.clamp(0.0, 1.0) -> y = 0.5, x' = 1
    x = 2: y = x.clamp(0.0, 1.0) -> y = 1, x' = 0
    x = -2: y = x.clamp(0.0, 1.0) -> y = 0, x' = 0
    x = 1: y = x.clamp(0.0, 1.0) -> y = 1, x' = from 0 to 1

far out a function comes to its limit
The formula overflows, or divides inf by inf, where the function itself is tame: use `math.tanh`,
and for the sigmoid exp(x) / (1 + exp(x)) where x is negative.
    x = 1000: y = x.tanh() -> y = 1, x' = 0
    x = -1000: y = x.tanh() -> y = -1, x' = 0
    x = 1000: y = x.sigmoid() -> y = 1, x' = 0
    x = -1000: y = x.sigmoid() -> y = 0, x' = 0
    x = 1000: y = x.softplus() -> y = 1000, x' = 1
    x = -1000: y = x.softplus() -> y = 0, x' = 0
    x = -1000: y = x.exp() -> y = 0, x' = 0
    x = 1e200: y = x.atan() -> y = pi / 2, x' = 0
    x = 1000: y = x.erf() -> y = 1, x' = 0

a pole is an error or infinite
There is no finite answer, and the engine gave one: leave out whatever avoids the pole, such as the
1e-8 in log(x + 1e-8), and let the error come, or inf.
    x = 1, w = 0: y = x / w -> y = inf or error
    x = 0: y = 1.0 / x -> y = inf or error
    x = 0: y = x ** -1 -> y = inf or error
    x = 0: y = x.log() -> y = -inf or error
    x = -1: y = x.log() -> y = nan or error
    x = -1: y = x.sqrt() -> y = nan or error
    x = 1000: y = x.exp() -> y = inf or error
    x = 0: y = x ** 0.5 -> x' = inf or nan or error
    x = 0: y = x.sqrt() -> x' = inf or nan or error

nan is not hidden
The operand is nan and the result is a number, as every comparison with nan is false: write
`0.0 if x < 0 else x`, whose last branch lets nan through.
    x = nan: y = x.relu() -> y = nan or error
    x = nan: y = x.clip(0.0, 1.0) -> y = nan or error
    x = nan: y = x.clamp(0.0, 1.0) -> y = nan or error
    x = nan: y = x.leaky_relu(0.1) -> y = nan or error
    x = nan: y = abs(x) -> y = nan or error
    x = nan: y = x.tanh() -> y = nan or error
    x = nan: y = x.sigmoid() -> y = nan or error
    x = nan: y = x.softplus() -> y = nan or error
    x = nan: y = x + x -> y = nan or error
    x = nan: y = x * x -> y = nan or error

there is no silent way out of the graph
`float(x)`, which every function of `math` calls, gave a plain number, and the gradient was lost
without a word: leave `__float__` undefined, or let it raise.
    x = 2: -> float(x) = error
    x = 2: import math -> math.exp(x) = error

a copy keeps its number
The copied or pickled leaf has another number: let `__copy__`, `__deepcopy__` and `__reduce__` carry
the data, or leave them to Python.
    x = 5: import copy -> copy.copy(x).data = 5 or error
    x = 5: import copy -> copy.deepcopy(x).data = 5 or error
    x = 5: import pickle -> pickle.loads(pickle.dumps(x)).data = 5 or error
"""

MANNERS = """
data that is not a number is refused
The mistake comes to light far from where it was made: turn the data into a float when a node is
made, and let that raise.
    -> Value(None).data = error
    -> Value('abc').data = error
    -> Value([1.0]).data = error
    x = 1: y = Value(x) -> type(y.data) is type(x) = False or error

no node holds an array
`x * array` made one node with an array as its number: return NotImplemented for what is not a
number, and NumPy makes an array of nodes.
    x = 3: import numpy; y = x * numpy.array([1.0, 2.0]) -> type(y) is type(x) = False or error

a node goes into a set
A class that defines `__eq__` has no `__hash__`: write `__hash__ = object.__hash__` beside it, and
a set tells nodes apart by identity.
    x = 2: nodes = {x} -> len(nodes) = 1

a leaf that is the root keeps what it had
`backward` set the gradient of its root to 1, but to the gradient of a leaf it should add.
    x = 3, w = 4: y = x + w; y.backward(); x.backward() -> x.grad = 2 or error

a copied graph feeds the copied leaf
The functions of the copy still add to the nodes of the original: keep numbers in a node rather
than closures, or let copying raise.
    x = 3, w = 4: import copy; y = x + w; x, y = copy.deepcopy((x, y)) -> x' = 1 or error
    x = 3: import pickle; y = x * 2.0; x, y = pickle.loads(pickle.dumps((x, y))) -> x' = 2 or error

a graph is freed with its last name
A node refers to itself, as one does whose closure uses it, and waits for the garbage collector,
which may take most of the run time: hand the node over as an argument.
    x = 3: import weakref; y = x + x; node = weakref.ref(y); del y -> node() is None = True or error
"""

FUNCTIONS = """
exp          exp(x)             exp(x)                                      0.5 -2 3 0 -0.0 1e-310
exp2         2**x               2**x * log(2)                               0.5 -2 3 0 -0.0 1e-310
expm1        expm1(x)           exp(x)                                      0.5 -2 3 0 -0.0 1e-310
log          log(x)             1 / x                                       2 0.5 1 1e-300
log2         log2(x)            1 / (x * log(2))                            2 0.5 1 1e-300
log10        log10(x)           1 / (x * log(10))                           2 0.5 1 1e-300
log1p        log1p(x)           1 / (1 + x)                                 3 0.5 -0.5 0 -0.0
sqrt         sqrt(x)            1 / (2 * sqrt(x))                           4 0.5 1 1e-300
cbrt         cbrt(x)            1 / (3 * cbrt(x)**2)                        8 0.5 -2
square       x * x              2 * x                                       3 -2 0 -0.0
reciprocal   1 / x              -1 / (x * x)                                4 -0.5
neg          -x                 -1                                          3 -2 0 -0.0
abs          abs(x)             copysign(1, x)                              -2 3
relu         max(x, 0)          x > 0                                       -3 2 1e-310 -1e-310
sigmoid      1 / (1 + exp(-x))  1 / (2 + exp(x) + exp(-x))                  0.5 -2 3 0 -0.0 1e-310
softplus     log1p(exp(x))      1 / (1 + exp(-x))                           0.5 -2 3 0 -0.0 1e-310
log_sigmoid  -log1p(exp(-x))    1 / (1 + exp(x))                            0.5 -2 3 0 -0.0 1e-310
silu         x / (1 + exp(-x))  (1 + (1 + x) * exp(-x)) / (1 + exp(-x))**2  0.5 -2 3 0 -0.0
softsign     x / (1 + abs(x))   1 / (1 + abs(x))**2                         0.5 -2 3 0 -0.0 1e-310
sin          sin(x)             cos(x)                                      0.5 -2 3 0 -0.0 1e-310
cos          cos(x)             -sin(x)                                     0.5 -2 3 0 -0.0 1e-310
tan          tan(x)             1 / cos(x)**2                               0.5 -2 3 0 -0.0 1e-310
asin         asin(x)            1 / sqrt(1 - x * x)                         0.5 -0.25 0 -0.0
acos         acos(x)            -1 / sqrt(1 - x * x)                        0.5 -0.25 0 -0.0
atan         atan(x)            1 / (1 + x * x)                             0.5 -2 3 0 -0.0 1e-310
sinh         sinh(x)            cosh(x)                                     0.5 -2 3 0 -0.0 1e-310
cosh         cosh(x)            sinh(x)                                     0.5 -2 3 0 -0.0 1e-310
tanh         tanh(x)            1 / cosh(x)**2                              0.5 -2 3 0 -0.0 1e-310
asinh        asinh(x)           1 / sqrt(1 + x * x)                         0.5 -2 3 0 -0.0 1e-310
acosh        acosh(x)           1 / sqrt(x * x - 1)                         2 1.5
atanh        atanh(x)           1 / (1 - x * x)                             0.5 -0.25 0 -0.0
erf          erf(x)             2 / sqrt(pi) * exp(-x * x)                  0.5 -2 3 0 -0.0 1e-310
erfc         erfc(x)            -2 / sqrt(pi) * exp(-x * x)                 0.5 -2 3 0 -0.0 1e-310
"""
