"""Edits: what an editor cut together, event by event, with the media that each shows."""
