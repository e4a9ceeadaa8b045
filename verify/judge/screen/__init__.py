"""Arrays judged exactly: `judge` for whole batches, `pieces` for runs of scores inside one piece of φ."""
