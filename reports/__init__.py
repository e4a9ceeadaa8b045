"""Verdicts to the terminal and to JUnit: reads records only, imports neither engine nor framework."""
