"""How a generator learns: data preparation, the loop, evaluation, checkpoints (needs the extra `train`)."""
