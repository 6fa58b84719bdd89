"""Shots painted by several processes or machines: as tasks in plain data, run here, by Ray, or by a studio's queue."""
