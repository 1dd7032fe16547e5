"""Black (1976) on a forward or a future: greeks."""
