"""Arrays in, values and gradients out."""

import listed
import numpy as np

from hingeproof.frameworks.binding import SubjectBase, bind
from hingeproof.frameworks.numpy.adaptor import cross_entropy as cross_entropy
from hingeproof.properties.call import LABEL_DTYPES, Output


def flushes(mode, dtype):
    return False


def devices():
    return ("cpu",)


class Subject(SubjectBase):
    gradients = True
    layouts = ("strided",)
    label_dtypes = LABEL_DTYPES

    def array(self, x):
        return x.tolist()

    def run(self, batch, reduction, *, cotangent=None):
        losses = bind(self.implementation, batch, reduction)(*self.taken(batch).each(self.array))
        grads = None if cotangent is None else (np.array(listed.pull(losses, cotangent.tolist()), float),)
        return Output(value=np.array(losses, float), dtype="float64", gradients=grads)


subject = Subject
