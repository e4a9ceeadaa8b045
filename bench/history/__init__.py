"""The history of timings and verdicts: runs in SQLite or PostgreSQL, series, segments and change points."""
