"""What is in a plate: cuts, motion, mattes, people, grain, black points."""
