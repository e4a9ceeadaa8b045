"""The losses in JAX, by family."""

from hingeproof.reference_impls.in_jax.binary import (
    hinge,
    hinge_embedding,
    margin_ranking,
    modified_huber,
    perceptron,
    ramp,
    smooth_hinge,
    squared_hinge,
)
from hingeproof.reference_impls.in_jax.metric import (
    cosine_embedding,
    triplet_margin,
)
from hingeproof.reference_impls.in_jax.multiclass import (
    crammer_singer,
    multi_margin,
    multiclass_perceptron,
    multilabel_margin,
    one_vs_rest_hinge,
    weston_watkins,
)
from hingeproof.reference_impls.in_jax.regression import (
    epsilon_insensitive,
    squared_epsilon_insensitive,
)

__all__ = [
    "cosine_embedding",
    "crammer_singer",
    "epsilon_insensitive",
    "hinge",
    "hinge_embedding",
    "margin_ranking",
    "modified_huber",
    "multi_margin",
    "multiclass_perceptron",
    "multilabel_margin",
    "one_vs_rest_hinge",
    "perceptron",
    "ramp",
    "smooth_hinge",
    "squared_epsilon_insensitive",
    "squared_hinge",
    "triplet_margin",
    "weston_watkins",
]
