"""The losses in JAX, by family."""

from hingeproof.reference_impls.exports import functions
from hingeproof.reference_impls.in_jax import binary, metric, multiclass, regression
from hingeproof.reference_impls.in_jax.binary import *
from hingeproof.reference_impls.in_jax.metric import *
from hingeproof.reference_impls.in_jax.multiclass import *
from hingeproof.reference_impls.in_jax.regression import *

__all__ = sorted(functions(binary, metric, multiclass, regression))
