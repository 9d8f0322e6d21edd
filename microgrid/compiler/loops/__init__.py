"""The order of a program's steps, and the loops it was written with, found again in them.

There are two ways, and `rolling.families_of` chooses. Steps that differ only in the positions of
their operands are a family, as the neurons of a layer are. Of `h[j] = relu(dot(w[j], x, b[j]))`,
for three neurons of two inputs, the dots are of one level, and their operands of the same families:
w, x and b. These stand at (0, 0, 0), (2, 0, 1) and (4, 0, 2), which a loop of three turns with the
distances (2, 0, 1) leads to (`runs`, `families`). The family of the relus has the same turns, and
joins the stage that computes the dots (`stages`). `ir.nests` writes a stage as loops over tiles of
turns and rows.

A stretch of steps that repeats with a constant shift is a loop over time, as the steps of an
integrator are (`repeats`). Where each turn is a few steps, they stay as they are, in a loop
(`chains`, `partition`, and `ir.turns`); where it is many, its families are found first, and those
that repeat turn after turn become one (`rolling`). What is neither stays straight-line code.
"""
