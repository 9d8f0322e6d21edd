"""Right and wrong answers to the exercises of lessons 6 and 8."""

import math

from microgrid import erf, exp, grad, log, scan, sqrt, where


def option(S, K, r, sigma, T):
    d1 = (log(S / K) + (r + sigma**2 / 2) * T) / (sigma * sqrt(T))
    d2 = d1 - sigma * sqrt(T)
    first, second = ((1 + erf(d / math.sqrt(2))) / 2 for d in (d1, d2))
    return S * first - K * exp(-r * T) * second


def volatility(rounds):
    def sigma_of(price, S, K, r, T):
        sigma = 0.3
        for _ in range(rounds):
            slope = grad(option, argnums=3)(S, K, r, sigma, T)
            sigma -= (option(S, K, r, sigma, T) - price) / slope
        return sigma

    return sigma_of


def worth_today(payments, rate):
    def year(later, payment):
        now = (later + payment) / (1 + rate)
        return now, now

    return scan(year, 0.0, payments, reverse=True)[0]


def calls(first, later, python):
    return math.inf if later >= python else (first - later) / (python - later)


def huber_by_if(e):
    return e * e / 2 if abs(e) <= 1 else abs(e) - 0.5


def parity(series):
    odd = 0.0
    for bit in series:
        odd += bit - 2 * odd * bit
    return odd - 0.5


RIGHT = {
    "6.1": [3],
    "6.2": [(2, 5, 10, 18, 33, 57, 76, 66), (2, 5, 11, 20, 35, 60, 80, 70)],
    "6.3": [lambda e: where(abs(e) <= 1, e * e / 2, abs(e) - 0.5)],
    "6.4": [calls],
    "6.5": [grad(grad(option))],
    "6.6": [volatility(10)],
    "6.7": [16_096, 893_400],
    "8.1": [21],
    "8.2": [worth_today],
    "8.3": [2, 1.93],
    "8.4": [(-2e-34, 6e21)],
    "8.5": [(0.1, 0.104)],
    "8.6": [parity],
}
WRONG = {
    "6.1": {6: "depend on the value of f", 2: "Count each operation"},
    "6.2": {
        (2, 5, 5, 5, 5, 5, 5, 66): "`grad` of the last one",
        (1, 5, 10, 18, 33, 57, 76, 66): "Begin with the function itself",
        (2, 5, 10, 18, 33, 57, 300, 66): "six times `grad`",
        (2, 5, 10, 18, 33, 57, 76, 201): "The last is one program",
    },
    "6.3": {
        huber_by_if: "it looks at the number",
        (lambda e: huber_by_if(getattr(e, "data", e)) + 0.0 * e): "no gradient reaches e",
        (lambda e: where(abs(e) <= 1, e * e, abs(e) - 0.5)): "A value is another",
        (lambda e: where(abs(e) <= 1, e * e / 2, math.fabs(e) - 0.5)): "no `math`",
    },
    "6.4": {
        (lambda first, later, python: first / python): "some time, too",
        (lambda first, later, python: (first - later) / (python - later)): "`math.inf`",
        (lambda first, later, python: 1.0): "n times Python's time",
    },
    "6.5": {
        grad(option): "That is delta",
        grad(option, argnums=3): "with respect to sigma",
        option: "the first argument",
    },
    "6.6": {
        volatility(0): "where the rule begins",
        volatility(1): "ten rounds",
        (lambda price, S, K, r, T: price / S): "the price's error",
    },
    "6.7": {
        16: "not kilobytes",
        900: "The text has so few",
        50_000_000: "Is Python in it",
        0.5: "one integer",
    },
    "8.1": {
        55: "if the second rises with",
        34: "the first alone",
        13: "how many steps",
        1: "separate inputs",
    },
    "8.2": {
        (lambda xs, rate: sum(x / (1 + rate) ** k for k, x in enumerate(xs))): "a year away",
        (lambda xs, rate: scan(lambda m, x: (m * (1 + rate) + x, x), 0.0, xs)[0]): "in the end",
        (lambda xs, rate: scan(lambda m, x: ((m + x) / (1 + rate), x), 0.0, xs)[0]): "divided most",
        (lambda xs, rate: sum(x * (1 + rate) ** k for k, x in enumerate(xs, 1))): "or less",
        (lambda xs, rate: scan(lambda m, x: ((m + x) * (1 + rate), x), 0.0, xs)[0]): "in the end",
        (lambda xs, rate: sum(xs)): "That is the sum",
        (lambda xs, rate: xs[0]): "Compare with 100",
    },
    "8.3": {16: "That is rk4's", 0.5: "which share", 4: "twice the steps"},
    "8.4": {
        (0.0, 0.0): "At one half",
        (6e21, 2e-34): "settles to two numbers",
        (0.1, 6e21): "The first",
        (2e-34, 3.9): "The second",
    },
    "8.5": {
        (0.1, 0.1): "too good to be true",
        (0.1, -0.1): "that is pushed",
        (0.1, 0.5): "far apart",
        (-0.1, 0.1): "a γ above 0",
    },
    "8.6": {
        (lambda series: -parity(series)): "a score above 0 says odd",
        (lambda series: 0.5): "Are those probabilities",
        (lambda series: sum(series) - 2.0): "begin with another seed",
    },
}
