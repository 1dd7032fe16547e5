"""Parameters of quoting models from a tape: fill intensity, volatility, latency."""
