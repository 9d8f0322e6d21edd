"""The eight stages of writing an engine, as text: a sentence of theory, tasks, a hint for each.

A stage begins with `== ` and its name. A task is a claim, what to write where there is nothing yet,
and a hint for those whose program is wrong, which does not give the answer away; its cases are
written as in the book of laws. A task named after a law has that law's cases; FUNCTION is any
function that has no task of its own. `needs` names what a class must have for it. A task without
`write` is asked only of a class that offers it; `write unless backward` is asked of a class that
has no `backward` yet. In a task `by hand`, a program takes the steps back one by one instead of
calling `backward`. `tasks` reads it.
"""

__all__ = ["STAGES"]

STAGES = """
== a number that remembers
A program that computes a loss is a chain of small operations. To go back along it, each number has
to remember what it was computed from, and has to have a place for its gradient.

a node keeps its number
needs: data
write: `__init__(self, data)`, which keeps the number as `self.data`
hint: What was put in does not come out: look at what `__init__` does with its argument.
    x = 3: -> x = 3
    x = -2.5: -> x = -2.5
    x = 3, w = 4: -> x = 3, w = 4

a node has a gradient, 0 to begin with
needs: grad
write: a gradient for each node, `self.grad`, which is 0 to begin with (if you call it otherwise,
say so: check(1, Value, grad="name"))
hint: Nobody has asked for a gradient yet, so there is none. And whose gradient did you set?
    x = 3: -> x.grad = 0
    x = 3: x.grad = 2.0 -> x.grad = 2
    x = 3, w = 4: x.grad = 2.0 -> w.grad = 0

a leaf was computed from nothing
needs: parents
write unless backward: a place for the nodes that a node is computed from, `self._prev`, empty in a
node that you make from a number
hint: A node that is made from a plain number has no operands to remember.
    x = 3: -> len(x.parents) = 0

== + and *
An operation makes a new node: its number comes from its operands, and it remembers which they were.
The last node then holds the whole graph.

a sum has its number
write: `__add__(self, other)`, which returns a new node
hint: Python calls `x.__add__(w)` for `x + w`. Which numbers does your method add, and what does it
return?
    x = 2, w = 3: y = x + w -> y = 5
    x = 2, w = -3: y = x + w -> y = -1
    x = 0.1, w = 0.2: y = x + w -> y = exactly 0.1 + 0.2

a product has its number
write: `__mul__(self, other)`, which returns a new node
hint: Python calls `x.__mul__(w)` for `x * w`. Which numbers does your method multiply, and what
does it return?
    x = 2, w = 3: y = x * w -> y = 6
    x = 0, w = 5: y = x * w -> y = 0
    x = 0.1, w = 0.7: y = x * w -> y = exactly 0.1 * 0.7

an operation leaves its operands as they are
hint: After the operation an operand is not what it was. Where does your method put the result?
    x = 2, w = 3: y = x + w -> x = 2, w = 3
    x = 2, w = 3: y = x * w -> x = 2, w = 3
    x = 2: p = x; p = p + x -> x = 2

a result is a node too
hint: An operator must return an object of your class, like those it takes, or the next operation
has nothing to work with.
    x = 2, w = 3: p = x + w; y = p + x -> y = 7
    x = 2, w = 3: p = x * w; y = p * x -> y = 12
    x = 2, w = 3, v = 10: y = x * w + v -> y = 16

a new node has a gradient of 0
needs: grad
hint: The result of an operation is a node like any other: how does it get its gradient?
    x = 2, w = 3: y = x + w -> y.grad = 0
    x = 2, w = 3: y = x * w -> y.grad = 0

a result remembers its operands
needs: parents
write unless backward: the operands in the new node, as in `Value(number, (self, other), '+')`
hint: The graph cannot be found again from its last node. What does the new node know about the two
that it was made from?
    x = 2, w = 3: y = x + w -> any(n is x for n in y.parents) = True
    x = 2, w = 3: y = x + w -> any(n is w for n in y.parents) = True
    x = 2, w = 3: y = x * w -> any(n is x for n in y.parents) = True
    x = 2, w = 3: y = x * w -> any(n is w for n in y.parents) = True
    x = 2, w = 3: p = x * w; y = p + x -> any(n is p for n in y.parents) = True

law: x += 1 leaves the old node as it is
hint: The name moves on to a new node, and the old one may still be needed. Does a method of yours
change its own `self`?

== the chain rule by hand
Each operation knows one thing: how much its result changes if an operand does. The gradient that
comes to a node from above, times that slope, goes on to the operand. That is one step of the chain
rule.

a sum passes its gradient on
by hand
write: a step back for each node, `_backward`, which changes the gradients of the node's operands
hint: Raise x by a little: by how much does x + w rise? And if it is w that is raised?
    x = 2, w = 3: y = x + w -> x' = 1, w' = 1
    x = -2, w = 5: y = x + w -> x' = 1, w' = 1

a product passes its gradient on
by hand
write: a step back for each node, `_backward`, which changes the gradients of the node's operands
hint: Raise x by a little: by how much does x * w rise, at these numbers? Try it with 0.001.
    x = 2, w = 3: y = x * w -> x' = 3, w' = 2
    x = 2, w = -3: y = x * w -> x' = -3, w' = 2
    x = 0, w = 5: y = x * w -> x' = 5, w' = 0

a step takes into account what came from above
by hand
hint: The operand's share was the same as if the node were the last one. What does the node's own
gradient say, and where does your step use it?
    x = 2, w = 3, v = 10: p = x + w; y = p * v -> x' = 10, w' = 10, v' = 5
    x = 2, w = 3, v = 10: p = x * w; y = p * v -> x' = 30, w' = 20, v' = 6
    x = 2, w = -3, v = 10, u = -2: e = x * w; d = e + v; y = d * u -> x' = 6, w' = -4, v' = -2

a leaf has nothing to pass on
needs: step
hint: A leaf has no operands: its step back must be there, and do nothing.
    x = 3: x.grad = 1.0; x._backward() -> x = 3, x.grad = 1

== backward, in topological order
From the root back to the leaves, a node passes its gradient on after all nodes that use it. An
order in which every node stands after its operands, read backwards, is such an order.

backward goes all the way back
needs: backward
write: `backward(self)`: it gives the root the gradient 1, puts all nodes below it in order, and
lets each take its step back
hint: A leaf was not reached, or was reached before what lies above it was ready. Write down the
order in which your walk visits the nodes.
    x = 3, w = 4: y = x + w -> x' = 1, w' = 1
    x = 3, w = 4: y = x * w -> x' = 4, w' = 3
    x = 2, w = 3, v = 10: p = x * w; y = p * v -> x' = 30, w' = 20, v' = 6
    x = 2, w = 3, v = 10: p = w * v; y = x * p -> x' = 30, w' = 20, v' = 6
    x = 2, w = -3, v = 10, u = -2: e = x * w; d = e + v; y = d * u -> x' = 6, w' = -4, v' = -2
    x = 5, a = 7, b = 3, c = 4: p = x * a; q = b * c; y = p + q -> x' = 7, a' = 5, b' = 4, c' = 3

law: backward is of its own root
hint: Where does your walk begin, and which nodes does it visit? A node that the root does not
depend on has no part in it.

law: an inner node has its own gradient
hint: After `backward` the gradient of a node in the middle says by how much the root rises if that
node does. What is left in it at the end?

law: a gradient of any size is passed on
hint: Some gradients are very small or very large. Does anything in your walk look at their size?

law: a graph may be 5000 nodes deep
hint: A long chain. Does your walk call itself, which Python allows about a thousand deep? Does it
look through all the nodes that it has seen, at each one?

== the value used twice
A number that is used in two places has an influence along two paths. Its gradient is the sum of the
shares that come along them.

law: a node used twice gets both shares
write: `backward(self)` first, as in stage 4
hint: Print the gradient after each step back. The second share has come: where is the first one?

law: a node passes its gradient on once it is complete
hint: A node passed on its gradient before all of its shares had come, or more than once. In which
order did your walk take the nodes of this program, and how often each?

law: a shared node is walked once
hint: How many paths lead from the root to x here? Your walk takes them all. Which nodes has it seen
before?

law: nodes with equal numbers are different nodes
hint: Two nodes hold the same number, and were taken for one. How does your walk find out whether
it has seen a node?

law: x * x has two edges
hint: x is an operand in two places. In what do you keep the operands, and how many does it hold
here?

law: a leaf adds up the gradients of all graphs
hint: The leaf had a gradient already, from another graph. Who took it away?

law: a second backward adds the same once more
hint: Print the gradients of the nodes in the middle before the second pass. Which should be there?

law: between two passes it is enough to zero the leaves
hint: The leaf was set back to 0, and still the passes differ. Which other nodes remember the first?

law: two roots may share a node
hint: With what gradient does the shared node begin the second pass?

law: a root may stand inside another graph
hint: A node that was a root has the gradient that `backward` began with. Who takes it away when it
is a node like any other?

== the other operations
Every operation is a number and a slope for each operand. Some can be written in terms of others;
then the chain rule does the rest.

a plain number may be an operand
write: operands that are plain numbers: make a node of `other` if it is not one
hint: The other operand is a plain number here, not a node. Which attribute do you ask it for?
    x = 2: y = x + 4.0 -> y = 6
    x = 2: y = x * 4.0 -> y = 8
    x = 2: y = x + 4.0 -> x' = 1
    x = 2: y = x * 4.0 -> x' = 4

law: x + y has its derivatives
hint: Compare the result, and then the slope of each operand, with what you get by hand.

law: x * y has its derivatives
hint: Compare the result, and then the slope of each operand, with what you get by hand.

law: -x and +x have their derivatives
write: `__neg__(self)`, for -x
hint: If x rises by a little, what does the result do? And is the share added to what was there?

law: x - y has its derivatives
write: `__sub__(self, other)`
hint: The two operands have different parts in a difference. What does it do if w rises?

law: x ** n has its derivative
write: `__pow__(self, n)`, where n is a plain number
hint: Take the cube, and multiply it out at x and at x + h. Which term is left if h is very small?

law: x / y has its derivatives
write: `__truediv__(self, other)`
hint: Write the quotient as x times something of w. What is the slope of that something?

a number may stand on the left of + and *
write: `__radd__` and `__rmul__`, which Python calls where the left operand is a plain number
hint: For `2 * x` Python asks the number first, and then your class by another name.
    x = 3: y = 2.0 + x -> y = 5, x' = 1
    x = 3: y = 2.0 * x -> y = 6, x' = 2

law: a number may stand on the left
write: `__rsub__` and `__rtruediv__`, for `2 - x` and `2 / x`
hint: In `2 - x` the node is on the right, and it is `self`. Which of the two is subtracted from
which?

law: sum() adds up nodes
hint: `sum` starts with a 0 of its own. What does `0 + x` do?

a function that bends
write: `tanh(self)` or `relu(self)`, with which a network can be more than a straight line
hint: Where is the number wrong, and where the slope? Draw the curve: how steep is it at this x,
and may you use the result itself to say so?
    x = 0.5: y = x.tanh() -> y = tanh(0.5), x' = 1 / cosh(0.5)**2
    x = -2: y = x.tanh() -> y = tanh(-2), x' = 1 / cosh(2)**2
    x = 2: y = x.relu() -> y = 2, x' = 1
    x = -3: y = x.relu() -> y = 0, x' = 0
    x = 0.5: y = x.sigmoid() -> y = 1 / (1 + exp(-0.5)), x' = 1 / (2 + exp(0.5) + exp(-0.5))
    x = 0.5: y = x.exp() -> y = exp(0.5), x' = exp(0.5)

law: division is one true division
hint: The last digit differs from Python's own quotient. How many operations does yours take?

law: x ** 0, x ** 1 and x ** 2 are smooth at 0
hint: At x = 0 your formula for the slope asks for what does not exist. Is the curve itself steep
there?

law: a negative base never turns complex
hint: What does Python itself make of (-4) ** 0.5? A network has no use for such a number.

law: 2 ** x has its derivative
hint: The curve is steeper the higher it is. By which factor? Try bases 2 and 3.

law: x ** y has both derivatives
hint: Both operands are nodes here, and both have a slope.

law: x % y and x // y have their derivatives
hint: Write the remainder as x minus a multiple of y, and look at each term.

law: abs(x) has its derivative
hint: Draw it: which two straight lines is it made of?

law: comparisons compare the numbers
hint: What is compared, and of what type is the answer?

law: a whole number is a number
hint: The data is an int here. Which of your operations treats ints and floats differently?

law: a kink has a slope between those beside it
hint: Two straight lines meet here. No slope outside of theirs makes sense.

law: x.leaky_relu(slope) has its derivative
hint: Two straight lines: how steep is each?

law: a clamp is flat outside of its bounds
hint: Where the number was cut off, does the result change if x does?

law: far out a function comes to its limit
hint: The function is tame at this x, and something on the way to it is not. Which number is too
large? Is there another way to write it?

law: a pole is an error or infinite
hint: There is no finite answer here, and you gave one. Where does it come from?

law: nan is not hidden
hint: Any comparison with nan is false. Which branch does your code take?

law: there is no silent way out of the graph
hint: A plain number came out, without a word and without a gradient. Which method lets it?

law: a copy keeps its number
hint: The copy has another number. Which method of yours makes copies?

law: x.exp() has its derivative
hint: This is the curve whose steepness is easiest to tell once you know its height.

law: x.FUNCTION() has its derivative
hint: Compare with the slope between two points close to x: (f(x + h) - f(x - h)) / (2 * h). Then
ask whether the step takes into account what came from above, and what was there before.

law: backward(seed) multiplies every gradient
hint: The seed takes the place of the 1 at the root.

== a neuron
A neuron adds up its inputs, each times a weight, adds a bias, and bends the result. All of its
parameters have gradients from one pass.

a weighted sum and a bias
write: `+`, `*` and `backward` first, as in the stages before
hint: Each weight's slope is its input, each input's is its weight, and the bias has one of its own.
    a = 2, x = -3, b = 10: y = a * x + b -> y = 4, a' = -3, x' = 2, b' = 1
    a = 2, x = -3, c = 1, u = 4, b = 10: y = a * x + c * u + b -> a' = -3, x' = 2, c' = 4, b' = 1

a neuron bends its sum
write: `tanh(self)` or `relu(self)`, with which the neuron bends its sum
hint: Follow the chain by hand: the slope of the bend, times that of the sum, times the input.
    a = 0.5, x = 2, b = -0.25: s = a * x + b; y = s.tanh() -> y = tanh(0.75), a' = 2 / cosh(0.75)**2
    a = 0.5, x = 2, b = -0.25: s = a * x + b; y = s.relu() -> y = 0.75, a' = 2, b' = 1
    a = 0.5, x = -2, b = 0.25: s = a * x + b; y = s.relu() -> y = 0, a' = 0, b' = 0
    a = 0, x = 2, b = 0: s = a * x + b; y = s.sigmoid() -> y = 0.5, a' = 0.5
    a = 0.5, x = 2, b = -1: s = a * x + b; y = s.exp() -> y = 1, a' = 2

two neurons share their inputs
hint: The input has an influence through each neuron.
    a = 2, c = 3, x = 4: p = a * x; q = c * x; y = p + q -> x' = 5, a' = 4, c' = 4
    a = 2, c = 3, x = 4: p = a * x; q = c * x; y = p * q -> x' = 48, a' = 48, c' = 32

law: a step of gradient descent moves a leaf
hint: The leaf has a new number. Who still uses the old one?

a step lowers the loss
hint: The weight went against its gradient, and the loss should have gone down. Compare the gradient
with one by hand.
    a = 3, x = 2: y = a * x; y.backward(); a.data -= 0.25 * a.grad; y = a * x -> y = 5
    a = 1, x = 2, t = -3: e = a * x + t; y = e * e; y.backward(); a.data -= 0.125 * a.grad; \
e = a * x + t -> e = 0

== training on moons
An epoch is five lines: compute, zero, backward, step, and look at the loss. Repeated, they bend a
boundary between two moons.

law: a gradient belongs to the numbers it was computed with
hint: A leaf was changed between the forward pass and `backward`. Which numbers does each slope use,
the old ones or the new ones?

law: random programs have their exact gradients
hint: Each operation is right by itself. Follow this program by hand, node by node, in the order
that `backward` takes.
"""
