"""What the functions share: exceptions, and the way from their arguments to our kernels."""
