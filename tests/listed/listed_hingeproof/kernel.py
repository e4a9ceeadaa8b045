"""What `hingeproof bench` times."""

import listed
import numpy as np


class Kernel:
    """See hingeproof.bench.timing.clock."""

    modes = ("eager",)
    devices = ("cpu",)
    mean = staticmethod(listed.mean)

    @staticmethod
    def back(x):
        return np.asarray(x, np.float64)

    def __init__(self, spec, inputs, targets, bound):
        scores, labels = [inputs[0].tolist()], targets.tolist()
        value = bound.call(scores, labels)

        def both():
            out = bound.call(scores, labels)
            return out, [list(out.slopes)]

        calls = {"forward": lambda: bound.call(scores, labels), "backward": lambda: [list(value.slopes)], "both": both}
        self.call = calls[spec.phase]
