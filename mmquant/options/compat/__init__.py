"""Other packages' names for our formulas."""
