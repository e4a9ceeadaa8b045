"""The losses in NumPy, by family; `<loss>_grad` is the gradient, written from the definition."""

from hingeproof.reference_impls.exports import functions
from hingeproof.reference_impls.in_numpy import binary, metric, multiclass, regression
from hingeproof.reference_impls.in_numpy.binary import *
from hingeproof.reference_impls.in_numpy.metric import *
from hingeproof.reference_impls.in_numpy.multiclass import *
from hingeproof.reference_impls.in_numpy.regression import *

__all__ = sorted(functions(binary, metric, multiclass, regression))
