"""What is trained: generator, style encoder, discriminators, perceptual features, losses (torch only)."""
