"""Files in and out: pictures, sequences, movies, EXR, colour spaces by name."""
