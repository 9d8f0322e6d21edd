"""Right and wrong answers to the exercises of lesson 5."""

import math

import numpy as np

RIGHT = {
    "5.1": [(2.0, 12.0, 24.0, 24.0, 5), np.array([2, 12, 24, 24, 5])],
    "5.2": [1.0],
    "5.3": [(3.25, 7.0)],
    "5.4": [lambda r, theta, phi: r**2 * math.sin(theta)],
    "5.5": [3],
    "5.6": [(1.0, 1.0, 1e-9, 0.0)],
    "5.7": [(9.346, 0.687, 1.49)],
}
WRONG = {
    "5.1": {
        (2.0, 6.0, 4.0, 1.0, 5): "what `taylor` gives",
        (4.0, 12.0, 24.0, 24.0, 5): "the slope of -2x",
        (2.0, 12.0, 24.0, 24.0, 4): "Of which order is the last",
        (2.0, 3.0, 24.0, 24.0, 5): "Look at number 2.",
    },
    "5.2": {2.0: "steeper where x moves", 3.0: "what is left"},
    "5.3": {
        (-3.25, 7.0): "on either side",
        (7.0, 3.25): "knows more",
        (3.25, 9.0): "Look at number 2.",
    },
    "5.4": {
        (lambda r, theta, phi: -(r**2) * math.sin(theta)): "the order r, θ, φ",
        (lambda r, theta, phi: r**2 * math.sin(phi)): "φ goes around",
        (lambda r, theta, phi: r**2 * math.cos(theta)): "from the equator",
        (lambda r, theta, phi: r * math.sin(theta)): "none from φ",
        (lambda r, theta, phi: r**2): "near the pole",
        (lambda r, theta, phi: r**3): "np.linalg.det",
        (lambda r, theta: r): "a function of r, θ and φ",
    },
    "5.5": {2: "all of its numbers", 4: "the lowest power"},
    "5.6": {(1, 1, 1, 1): "what `minimize` finds", (1.0, 1.0, 0.5, 0.5): "Take more steps"},
    "5.7": {
        (25.2552, 7.783, 0.178): "without the depth",
        (12.0, 0.7, 1.5): "to the minimum",
        (9.3457, 0.4721, 2.2212): "Those are variances",
        (9.3457, 1.4904, 0.6871): "in order",
    },
}
