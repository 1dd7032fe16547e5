"""Merton (1973) on a spot with a dividend yield: greeks."""
