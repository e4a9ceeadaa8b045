"""Timing cases and how fast the suite itself runs."""
