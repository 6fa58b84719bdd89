"""Training: data, networks, losses, the GAN loop, looks of a show, matching to painted frames (extra `train`)."""
