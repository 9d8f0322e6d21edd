"""Programs of many scalars, whose loops the compiler has to find: side by side with real loops.

`python -m tests.benchmarks.loops` prints what networks, a convolution, an integrator and a
recurrence take that are written number by number, beside JAX and PyTorch, which are given matrices,
and C, which is given loops; it says which targets are met, and draws how times grow. All are on one
thread. What is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import microgrid
from microgrid import MLP
from microgrid.compiler.ir.machine import Code, this_machine
from microgrid.compiler.native.kernel import ArrayKernel
from tests.compiler.kernels import straight

from .growth import (
    HIDDEN,
    Panels,
    Point,
    by_parameters,
    draw_growth,
    in_jax,
    median_of,
    ours,
    resident,
    scalar_operations,
)
from .growth import built as built_point
from .networks import (
    BATCH,
    BATCHES,
    Classification,
    First,
    compiled_step,
    fitted,
    jax_loss,
    matrices_of,
    softmax,
    torch_step,
    training,
)
from .scalars import (
    STRAIGHT,
    c_rk4,
    compiled,
    convolution,
    derived,
    inputs_of,
    integrator_sides,
    loss_sides,
    populations,
    program_of,
    recurrence,
    wide_recurrence,
)
from .sides import (
    Side,
    c_library,
    c_step,
    flat,
    jax_step,
    joined_step,
    kernel_alone,
    length,
    matrices,
    numbers_of,
    peer,
    signed_moons,
    step_of,
    verdict,
)
from .sides import torch_step as torch_hinge_step
from .table import Row, measure, parser_of, run_parts, tell_circumstances

PEERS = ("jax", "torch")
ONE_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "NPROC": "1"}  # of JAX
NETWORKS = ((64, 32, 10), (784, 64, 10))
MEGABYTE = 2**20


def fits(name: str, operations: int, options: argparse.Namespace) -> bool:
    """Return whether a program is not too large for the options; say so if it is."""
    if options.most is None or operations <= options.most:
        return True
    print(f"\n{name}: left out, with about {operations:,} operations")
    return False


# Networks


def hinge_sides(hidden: int, rows: int) -> Iterator[Side]:
    """Yield the sides of the loss and gradient of an MLP 2-n-n-1."""
    sizes = (2, hidden, hidden, 1)
    X, target = signed_moons(104)
    x = np.ascontiguousarray(X.T)
    model = MLP(2, sizes[1:], seed=0)
    parameters = numbers_of(model)
    step = step_of(model)
    step(parameters, list(x), target)
    kernel = kernel_alone(step, parameters, [*x, target])
    yield Side("microgrid's kernel", kernel, lambda sums: sums / len(target))
    yield Side("microgrid, called", lambda: step(parameters, list(x), target), flat)
    if run := c_step(hidden, parameters, [*x, target]):
        yield Side("C", run, flat)
    parts = matrices(parameters, sizes)
    if peer("jax"):
        yield Side("JAX", jax_step(parts, X, target), joined_step)
    if peer("torch"):
        yield Side("PyTorch", torch_hinge_step(parts, X, target, 1), joined_step)


def perceptrons(options: argparse.Namespace) -> None:
    """Print what the gradients of perceptrons cost, beside C."""
    for hidden in (16, 41, 76, 140):
        count = hidden**2 + 5 * hidden + 1
        title = f"loss and {count:,} gradients of an MLP 2-{hidden}-{hidden}-1, 104 rows"
        row = Row(
            "perceptrons", title, partial(hinge_sides, hidden), "microgrid's kernel", ["C"], 0.8
        )
        if fits("perceptrons", 4 * count, options):
            measure(row, options)


def many_classes(options: argparse.Namespace) -> None:
    """Print what the gradients of networks of ten classes cost, and how near to the processor's."""
    for sizes in NETWORKS:
        for rows in (128, 1024):
            task = Classification.random(sizes, rows)
            count = len(task.model.parameters())
            if fits("classes", 4 * count, options):
                name = "-".join(map(str, sizes))
                title = f"softmax cross-entropy of {name}, {count:,} gradients, {rows:,} rows"
                sides = partial(softmax_sides, task)
                row = Row("classes", title, sides, "microgrid, called", ["JAX", "PyTorch"], 0.8)
                times = measure(row, options)
                tell_rates(times, 2 * rows * task.multiplications(), rows == 1024)


FMAS = "the multiply-adds alone"
LEAST_RATE = 0.6  # of the processor's own


def softmax_sides(task: Classification, rows: int) -> Iterator[Side]:
    """Yield all sides of a network of classes, and its multiplications without anything else."""
    yield from softmax(task)
    yield Side(FMAS, multiply_adds(len(task.rows) * task.multiplications()), None)


def tell_rates(times: Any, operations: int, is_judged: bool) -> None:
    """Print how many operations a second the sides do, and how near to the processor's that is."""
    rates = {name: operations / own.least / 1e9 for name, own in times.items()}
    shown = ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items())
    print(f"  GFlop/s, at best: {shown}")
    if is_judged:
        share = times[FMAS].least / times["microgrid's kernel"].least
        met = "met" if share >= LEAST_RATE else "MISSED"
        print(f"  target: of the multiply-adds' rate {share:.3f}, at least {LEAST_RATE}: {met}")


# As many sums as hide the time until one of them is there.
SUMS = 16


@cache
def multiplier() -> Code:
    """Return a loop of fused multiply-adds of vectors, none of which waits for another one."""
    machine = this_machine()
    vector, name = f"<{machine.width} x double>", f"@llvm.fma.v{machine.width}f64"
    sums = range(SUMS)
    first = [f"%s{k} = phi {vector} [zeroinitializer, %entry], [%t{k}, %loop]" for k in sums]
    more = [f"%t{k} = call {vector} {name}({vector} %x, {vector} %x, {vector} %s{k})" for k in sums]
    last = [f"%u{k} = fadd {vector} %{'t0' if k == 1 else f'u{k - 1}'}, %t{k}" for k in sums[1:]]
    lines = [
        f"declare {vector} {name}({vector}, {vector}, {vector})",
        "define void @run(i64 %n, ptr %place) {",
        f"entry:\n %x = load {vector}, ptr %place, align 8\n br label %loop",
        "loop:\n %i = phi i64 [0, %entry], [%j, %loop]",
        *first,
        *more,
        "%j = add i64 %i, 1\n %more = icmp ult i64 %j, %n\n br i1 %more, label %loop, label %end",
        "end:",
        *last,
        f"store {vector} %u{SUMS - 1}, ptr %place, align 8\n ret void\n}}",
    ]
    return Code("\n".join(lines), machine)


def multiply_adds(count: int) -> Callable[[], Any]:
    """Return what does so many multiply-adds of numbers, in registers."""
    run = multiplier().function("run", ctypes.c_int64, ctypes.c_void_p)
    place = np.full(this_machine().width, 1e-3)
    rounds = max(1, count // (SUMS * len(place)))

    def work() -> Any:
        place[:] = 1e-3
        run(rounds, place.ctypes.data)
        return place

    return work


# Compiling


def parts_of(work: Callable[[], Any]) -> dict[str, float]:
    """Return the seconds of some work that compiles, and of its parts."""
    calls = import_module("microgrid.compiler.calls.compiled")
    seconds = dict.fromkeys(("tracing", "kernel", "LLVM"), 0.0)

    def timed(part: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                seconds[part] += time.perf_counter() - start

        return run

    places = [(calls, "trace", "tracing"), (ArrayKernel, "__init__", "kernel")]
    with ExitStack() as patches:
        for owner, name, part in [*places, (Code, "__init__", "LLVM")]:
            patches.enter_context(patch.object(owner, name, timed(part, getattr(owner, name))))
        start = time.perf_counter()
        work()
        whole = time.perf_counter() - start
    finding = seconds["kernel"] - seconds["LLVM"]
    rest = whole - seconds["tracing"] - seconds["kernel"]
    parts = {"tracing": seconds["tracing"], "loops and text": finding, "LLVM": seconds["LLVM"]}
    return {"whole": whole, **parts, "the rest": rest}


def tell_parts(parts: dict[str, float]) -> str:
    """Return the seconds of the parts of compiling as a line."""
    return ", ".join(f"{name} {length(seconds).strip()}" for name, seconds in parts.items())


def first_result(options: argparse.Namespace) -> None:
    """Print what it takes from a Python function to its first result."""
    microgrid.compile(lambda x: x * x)(1.0)  # wakes LLVM up
    for task, most in ((First.of_classes(NETWORKS[1]), 0.5), (First.of_signs(140), 0.3)):
        if fits("first", 4 * len(task.model.parameters()), options):
            title = f"from the function to the loss and gradient of {task.name}, {BATCH} rows"
            times = measure(Row("first", title, task.sides, "microgrid"), options)
            print(f"  target: {verdict(times['microgrid'].median, most, ' s')}")
            print(f"  {tell_parts(parts_of(task.run))}")


MOST_GROWTH = 2.0  # of compiling and of code, as layers grow


def width(options: argparse.Namespace) -> None:
    """Print how compiling and code grow with the width of layers."""
    print("\nwidth: compiling the hinge loss and gradient of MLPs 2-n-n-1")
    microgrid.compile(lambda x: x * x)(1.0)  # wakes LLVM up
    X, target = signed_moons(104)
    x, costs, sizes = list(np.ascontiguousarray(X.T)), [], []
    for hidden in HIDDEN[1:3] if options.quick else HIDDEN[1:]:
        model = MLP(2, [hidden, hidden, 1], seed=0)
        if not fits("width", 4 * len(model.parameters()), options):
            continue
        parameters, step = numbers_of(model), step_of(model)
        parts = parts_of(lambda s=step, p=parameters: s(p, x, target))
        costs.append(parts["loops and text"] + parts["LLVM"])
        sizes.append(len(step.source("llvm")))
        operations = scalar_operations(step.program)
        print(
            f"  {hidden:4}: {operations:7,} operations, {sizes[-1]:11,} characters of IR;", end=""
        )
        print(f" {tell_parts(parts)}", flush=True)
        if hidden == 126:
            print(f"  target: {operations:,} operations {verdict(parts['whole'], 0.6, ' s')}")
    for what, numbers in (("compiling", costs), ("code", sizes)):
        print(
            f"  target: most {what} over least {verdict(max(numbers) / min(numbers), MOST_GROWTH)}"
        )


# Training


def fits_of_classes(options: argparse.Namespace) -> None:
    """Print what whole trainings take, the first time in a process and later."""
    task = Classification.random(NETWORKS[0], BATCHES * BATCH)
    title = "10 epochs of 8 batches of 128 with Adam, 64-32-10, everything included"
    sides = partial(fit_sides, task)
    measure(Row("fit", title, sides, "microgrid, a fit again", ["PyTorch"], 1.0), options)
    first = min(told_by("print(json.dumps(loops.first_fit()))") for _ in range(3))
    print(f"  target: the first one in a process {verdict(first, 0.7, ' s')}")


def fit_sides(task: Classification, rows: int) -> Iterator[Side]:
    """Yield the sides of a training."""
    return training(task)


def first_fit() -> float:
    """Return the seconds of a training, the first one in this process."""
    task = Classification.random(NETWORKS[0], BATCHES * BATCH)
    start = time.perf_counter()
    fitted(task)
    return time.perf_counter() - start


def told_by(code: str, **environment: str) -> Any:
    """Return what code prints as JSON in a process of its own."""
    code = f"import json; from tests.benchmarks import loops; {code}"
    command, environment = [sys.executable, "-c", code], os.environ | environment
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(done.stdout)


# Memory


# To glibc's malloc: what is freed goes back to the system, so that what is used next is counted.
RETURN_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "65536"}
FORGET_PEAK = Path("/proc/self/clear_refs")  # where a 5 is written to


def memory(options: argparse.Namespace) -> None:
    """Print what a call of a large kernel takes beside what goes in and comes out."""
    task = Classification.random(NETWORKS[1], 1024)
    count = len(task.model.parameters())
    if not FORGET_PEAK.exists():
        print(f"\nmemory: left out, as this system has no {FORGET_PEAK}")
    elif fits("memory", 4 * count, options):
        print(f"\nmemory: a call of {count:,} parameters, 1,024 rows, in a process of its own")
        taken = told_by("print(json.dumps(loops.memory_of_a_call()))", **RETURN_MEMORY)
        neurons = sum(task.sizes[1:])
        own = 8 * (2 * count + BATCH * (task.sizes[0] + 2 * neurons))
        print("  target: peak over parameters, gradients and a chunk of 128 rows", end=" ")
        print(verdict(taken / own, 3.0), f"({taken / MEGABYTE:.1f} of {own / MEGABYTE:.1f} MB)")


def memory_of_a_call() -> int:
    """Return by how many bytes the process grew in a call, at its peak; the second one."""
    task = Classification.random(NETWORKS[1], 1024)
    parameters, (x, y) = numbers_of(task.model), task.columns()
    step = compiled_step(task.model)
    step(parameters, x, y)
    FORGET_PEAK.write_text("5")
    before = resident("VmRSS")
    step(parameters, x, y)
    return resident("VmHWM") - before


# What is no network of layers


def integrator(options: argparse.Namespace) -> None:
    """Print what 1,000 steps of RK4 take."""
    steps = 1000
    if fits("rk4", 100 * steps, options):
        title = f"value and 6 derivatives after {steps:,} steps of RK4, 8 rows"
        sides = partial(integrator_sides, steps)
        measure(Row("rk4", title, sides, "microgrid", ["C"], 2.0), options)
        parts = parts_of(lambda: microgrid.compile(derived(steps))(*populations()))
        print(f"  target: the first result {verdict(parts['whole'], 2.0, ' s')}")
        print(f"  {tell_parts(parts)}")


def scalars(options: argparse.Namespace) -> None:
    """Print what a convolution and a recurrence take."""
    cases = (
        (convolution, "convolution", "a convolution 3 x 3 of 12 x 12 into 4 channels", 13_000),
        (recurrence, "recurrence", "a recurrence of 8 units over 40 steps", 15_000),
        (wide_recurrence, "wide", "a recurrence of 32 units over 40 steps", 150_000),
    )
    for function, name, what, operations in cases:
        if fits(name, operations, options):
            sides = partial(loss_sides, function)
            title = f"loss and gradient of {what}, {options.rows} rows"
            measure(Row(name, title, sides, "microgrid's kernel", [STRAIGHT]), options)
            w, x, target = inputs_of(function, options.rows)
            parts = parts_of(lambda f=function, given=(w, x, target): compiled(f)(*given))
            print(f"  {tell_parts(parts)}")
            if function is convolution:
                print(f"  target: the first result {verdict(parts['whole'], 0.15, ' s')}")
            else:
                given = program_of(function, w, x, target), range(len(w)), "sum"
                seconds = median_of(partial(straight, *given))
                share = (parts["loops and text"] + parts["LLVM"]) / seconds
                print(f"  target: compiling over that without loops {verdict(share, 1 / 3)}")


# Pictures


def by_width(options: argparse.Namespace) -> Iterator[Point]:
    """Yield what networks 64-n-10 cost, on 128 rows."""
    for n in (8, 16, 32) if options.quick else (8, 16, 32, 64, 128, 256):
        task = Classification.random((64, n, 10), BATCH)
        if not fits("width", 4 * len(task.model.parameters()), options):
            return
        parameters, (x, y) = numbers_of(task.model), task.columns()

        def build(task: Classification = task, given: Any = (parameters, x, y)) -> Any:
            step = compiled_step(task.model)
            step(*given)
            return kernel_alone(step, given[0], [*given[1], given[2]])

        yield built_point("microgrid", n, build)
        if jax := peer("jax"):
            f, given = jax.value_and_grad(jax_loss()), (matrices_of(task), task.rows, task.classes)
            yield built_point("JAX", n, in_jax(f, given))
        if peer("torch"):
            yield Point("PyTorch", n, 0.0, median_of(torch_step(task)))


def by_steps(options: argparse.Namespace) -> Iterator[Point]:
    """Yield what steps of an integrator cost, with six derivatives."""
    for steps in (10, 30, 100) if options.quick else (10, 30, 100, 300, 1000, 3000):
        if not fits("steps", 100 * steps, options):
            return
        yield built_point("microgrid", steps, ours(derived(steps), populations()))
        if run := c_rk4(steps):
            yield Point("C", steps, c_library("rk4")[1], median_of(run))


PANELS: Panels = {
    "parameters of an MLP 2-n-n-1, 104 rows": by_parameters,
    "width n of 64-n-10, softmax, 128 rows": by_width,
    "steps of RK4, value and 6 derivatives, 8 rows": by_steps,
}


def growth(options: argparse.Namespace) -> None:
    """Print and draw how the times of compiling and of running grow."""
    draw_growth(PANELS, options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and draw the picture."""
    os.environ |= ONE_THREAD  # before JAX is imported
    parts = {
        **{"perceptrons": perceptrons, "classes": many_classes, "first": first_result},
        **{"width": width, "fit": fits_of_classes, "rk4": integrator, "memory": memory},
        "scalars": scalars,
        "growth": growth,
    }
    parser = parser_of("loops", __doc__, parts)
    parser.add_argument(
        "--most", type=int, metavar="N", help="leave out programs of more operations, about"
    )
    options = parser.parse_args(arguments)
    options.rows = BATCH
    tell_circumstances(PEERS)
    run_parts(parser, parts, options)


if __name__ == "__main__":
    main()
