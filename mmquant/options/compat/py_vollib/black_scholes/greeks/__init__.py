"""Black and Scholes (1973) on a spot without dividends: greeks."""
