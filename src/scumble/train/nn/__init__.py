"""Networks and losses in training: generator, discriminator, features, terms."""
