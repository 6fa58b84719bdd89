"""Looks matched to frames that an artist painted."""
