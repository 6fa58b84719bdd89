"""A shot painted and written: options, plan, schedule, the way of one frame, output."""
