"""Timing cases: which there are, their data, what is timed, how, and whether the answer was right."""
