"""The run directory, for verify, bench and gate alike: what is written, while it is written and when it is read."""
