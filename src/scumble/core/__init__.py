"""What every room speaks of: frames, colour, errors, settings, files."""
