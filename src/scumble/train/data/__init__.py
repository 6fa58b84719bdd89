"""Training data: prepared, packed, measured, cut into batches."""
