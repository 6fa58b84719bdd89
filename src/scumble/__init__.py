"""Scumble: paint over film. A plate and style pictures go in, a steady painted shot comes out."""

__version__ = "0.1.0"
