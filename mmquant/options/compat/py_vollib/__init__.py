"""The functions of py_vollib, with its names, argument orders and units, on arrays too.

Change ``py_vollib`` to ``mmquant.options.compat.py_vollib`` in an import; the rest stays:

>>> from mmquant.options.compat.py_vollib.black_scholes import black_scholes
>>> black_scholes("c", 100, 100, 0.5, 0.01, 0.2)

- Numbers in, a float out; where any argument is an array, an array out, by NumPy's broadcasting.
- Vega and rho are per percentage point, theta is per calendar day, as in py_vollib.
- Flags are ``"c"`` and ``"p"``; any other is an error, in an array too.
- A call with numbers alone raises where there is no result; in arrays NaN stands there. NaN gives
  NaN.
"""
