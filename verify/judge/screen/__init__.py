"""Arrays judged exactly, a million samples at a time.

`judge.judge` for values and gradients of a batch, `reduced.judge_reduced` for its sum or mean, `pieces.run` for
consecutive scores inside one piece of φ, on arrays of any library. What a screen (`screening`) cannot show to be right
goes to the rational oracle (`exact`), which alone rejects.
"""
