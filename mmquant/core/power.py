"""Squares and cubes with the bits of ``math.pow``, without its cost.

The exact product comes as a double and what its rounding left. The C library's result is within
0.511 ulp plus 2^-15 times 1.5 |n log x| ulp of the true value (error bound stated in glibc's
e_pow.c), so that it can differ from the product rounded once only where the truth lies within 0.02
ulp of the middle between two doubles: there, and for factors of another size, ``math.pow`` is
asked.
"""

from __future__ import annotations

import math

from mmquant.core.bits import rest_of_product
from mmquant.core.jit import kernel

SMALL, LARGE = 2.0**-20, 2.0**20
"""Between these |n log x| is below 42, and nothing underflows."""
NEAR_MIDDLE = 1.04
"""0.5 / 0.48: moves what is within 0.02 ulp of the middle across it."""


@kernel
def power(x, n):
    """``math.pow(x, n)``, fast for squares and cubes."""
    if (n != 2.0 and n != 3.0) or not (x > SMALL and x < LARGE):
        if x == 0.0 and (n == 2.0 or n == 3.0):
            return x * x if n == 2.0 else x
        return math.pow(x, n)
    result = x * x
    rest = rest_of_product(x, x, result)
    if n == 3.0:
        square = result
        result = square * x
        rest = rest_of_product(square, x, result) + rest * x
    nearest = result + rest
    rest += result - nearest
    if nearest + NEAR_MIDDLE * rest != nearest:
        return math.pow(x, n)
    return nearest
