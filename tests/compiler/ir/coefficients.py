"""Where the numbers of `microgrid.compiler.ir.coefficients` come from: fits, by mpmath.

`python -m tests.compiler.ir.coefficients` prints that file's tables. A polynomial is the best one
by least squares at Chebyshev's points, which is close to the one with the least greatest error;
errors are weighted by what they do to the function's result.
"""

from mpmath import lu_solve, matrix, mp, mpf

BITS = 250  # of which the equations of a fit lose a part


def parts(number, count):
    """Return so many floats that add up to a number: each is the nearest to what is left of it."""
    found = []
    for _ in range(count):
        found.append(float(number))
        number -= found[-1]
    return tuple(found)


def fit(function, low, high, degree, weight=lambda x: 1):
    """Return the coefficients of a polynomial, of which the first is constant."""
    count = 2 * degree + 2
    cosines = [mp.cospi(mpf(2 * i + 1) / (2 * count)) for i in range(count)]
    points = [(high + low) / 2 + (high - low) / 2 * cosine for cosine in cosines]
    powers = [[weight(x) * x**j for j in range(degree + 1)] for x in points]
    values = [weight(x) * function(x) for x in points]
    return tuple(map(float, lu_solve(matrix(powers), matrix(values))))


def even(function, greatest, degree):
    """Return the coefficients of a polynomial in the square of a number up to the greatest."""
    return fit(lambda z: function(mp.sqrt(z)), mpf(0), greatest**2, degree)


def greatest_s():
    """Return f / (2 + f) for 1 + f that is the root of 2."""
    return 3 - 2 * mp.sqrt(2)


FITS = {
    "LN2": lambda: parts(mp.log(2), 2),
    "HALF_PI": lambda: parts(mp.pi / 2, 3),
    "THIRD": lambda: parts(mpf(1) / 3, 2),
    # exp(r) = 1 + r + r**2 EXP(r)
    "EXP": lambda: fit(lambda r: (mp.expm1(r) - r) / r**2, -mp.log(2) / 2, mp.log(2) / 2, 10),
    # log((1 + s) / (1 - s)) = 2 s + s**3 LOG(s**2) = 2 (s + s**3 / 3 + s**5 LOG_TAIL(s**2))
    "LOG": lambda: even(lambda s: 2 * (mp.atanh(s) - s) / s**3, greatest_s(), 6),
    "LOG_TAIL": lambda: even(lambda s: (mp.atanh(s) - s - s**3 / 3) / s**5, greatest_s(), 7),
    # sin(r) = r + r**3 SIN(r**2); cos(r) = 1 - r**2 / 2 + r**4 COS(r**2)
    "SIN": lambda: even(lambda r: (mp.sin(r) - r) / r**3, mp.pi / 4, 5),
    "COS": lambda: even(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4, mp.pi / 4, 5),
    # erf(x) = x + x ERF(x**2) up to 1.25; 1 - 2**ERFC(x) from there on; 2**r = EXP2(r)
    "ERF": lambda: even(lambda x: mp.erf(x) / x - 1, mpf(5) / 4, 12),
    "ERFC": lambda: fit(lambda x: mp.log(mp.erfc(x), 2), mpf(5) / 4, mpf(6), 14, mp.erfc),
    "EXP2": lambda: fit(lambda r: mpf(2) ** r, -mpf(1) / 2, mpf(1) / 2, 10),
}


def derive(name):
    """Return a table."""
    with mp.workprec(BITS):
        return FITS[name]()


if __name__ == "__main__":
    for name in FITS:
        print(f"{name} = {derive(name)}")
