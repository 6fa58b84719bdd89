"""One style as a file: made, mixed, measured, baked."""
