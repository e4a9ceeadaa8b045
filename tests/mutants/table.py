"""Which law must reject which mutant, and where. Data only: no framework is imported."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """`law` rejects `mutant` (module:function below tests.mutants) as an implementation of `loss`.

    one_sample: the witness is to be a single sample. False where the law speaks of a batch or draws its own input, and
    where shrinking runs out of calls before it gets there.
    grad: the gradient of a NumPy mutant. strict: the law is a promise, held under --contract strict.
    """

    law: str
    mutant: str
    loss: str = "hinge"
    framework: str = "torch"
    mode: str = "eager"
    dtype: str = "float32"
    strict: bool = False
    grad: str = ""
    one_sample: bool = True

    @property
    def target(self) -> str:
        return f"tests.mutants.{self.mutant}"

    @property
    def group(self) -> tuple[str, str, str, str, bool, str]:
        """What one command can judge together."""
        return self.loss, self.framework, self.mode, self.dtype, self.strict, self.grad


ROWS = (
    # value
    Row("value", "value:hinge_one_ulp_high"),
    Row("non_negative", "value:hinge_negative_far_past_margin"),
    Row("zero_past_margin", "value:squared_hinge_subnormal_past_margin", "squared_hinge"),
    Row("bounds_zero_one", "value:hinge_discounts_mistakes"),
    Row("monotone", "value:hinge_forgives_outliers"),
    Row("convex", "value:hinge_is_the_ramp"),
    Row("lipschitz", "value:hinge_steeper_far_out"),
    # gradient
    Row("gradient", "gradient:hinge_kink_gradient_doubled"),
    Row("gradient_inside", "gradient:squared_hinge_gradient_clipped", "squared_hinge"),
    Row("gradient_zero_past_margin", "gradient:squared_hinge_subnormal_gradient_past_margin", "squared_hinge"),
    Row("gradient_sparsity", "gradient:hinge_dense_gradient"),
    Row("gradient_sparsity", "gradient:weston_watkins_gradient_of_the_worst_rival", "weston_watkins"),
    Row("cotangent_linear", "gradient:hinge_kink_depends_on_cotangent"),
    Row("class_gradient_sum", "gradient:weston_watkins_target_share_forgotten_at_kink", "weston_watkins"),
    Row("subgradient_inequality", "gradient:hinge_kink_gradient_reversed"),
    Row("reduction_gradient", "gradient:hinge_mean_gradient_unbiased", one_sample=False),
    Row("reduction_gradient", "gradient:hinge_mean_gradient_over_violators", one_sample=False),
    Row("kink_selection", "gradient:hinge_kink_gradient_of_clamp", strict=True),
    # symmetry
    Row("label_flip", "symmetry:hinge_negative_class_has_margin_one"),
    Row("batch_permutation", "symmetry:hinge_kink_depends_on_position", one_sample=False),
    Row("batch_split", "symmetry:hinge_of_the_hardest_half", one_sample=False),
    Row("class_permutation", "symmetry:crammer_singer_last_class_is_no_rival", "crammer_singer", one_sample=False),
    Row("scaling", "symmetry:hinge_with_an_epsilon"),
    Row("translation", "symmetry:weston_watkins_zero_score_is_padding", "weston_watkins"),
    # relations
    Row("two_classes", "relations:weston_watkins_halved_for_two_classes", "weston_watkins"),
    Row("sibling", "relations:squared_hinge_with_a_half", "squared_hinge"),
    Row("margin_sweep", "relations:hinge_negative_margin_clipped"),
    # reductions
    Row("reduction_sum", "reductions:hinge_sum_in_pairs"),
    Row("reduction_mean", "reductions:hinge_mean_over_violators", one_sample=False),
    Row("weight", "reductions:hinge_mean_over_weights"),
    Row("class_weight", "reductions:multi_margin_class_weight_of_the_rival", "multi_margin"),
    Row("mean_overflow", "reductions:hinge_mean_sums_first", strict=True, one_sample=False),
    Row("accumulation", "reductions:hinge_sum_in_half_precision", dtype="float16", strict=True, one_sample=False),
    # numerics
    Row("nan", "numerics:hinge_swallows_nan", strict=True),
    Row("infinity", "numerics:hinge_masked_by_product"),
    Row("overflow", "numerics:hinge_half_of_d_plus_abs"),
    Row("subnormal", "numerics:perceptron_flushes_subnormals", "perceptron"),
    Row("signed_zero", "symmetry:perceptron_kink_depends_on_sign_of_zero", "perceptron"),
    Row("ties", "numerics:crammer_singer_gradient_to_every_tied_class", "crammer_singer"),
    Row("masked_classes", "numerics:weston_watkins_masked_by_product", "weston_watkins"),
    Row("masked_classes", "numerics:crammer_singer_masked_class_gradient", "crammer_singer"),
    # interface
    Row("answers", "interface:hinge_squeezes"),
    Row("dtype_kept", "interface:hinge_mean_in_double", one_sample=False),
    Row("inputs_untouched", "interface:hinge_clamps_scores_in_place", one_sample=False),
    Row("inputs_untouched", "interface:hinge_doubles_targets_in_place", one_sample=False),
    Row("strided", "interface:hinge_assumes_stride_one", one_sample=False),
    Row("strided", "in_numpy:hinge_ignores_sign_of_stride", framework="numpy", strict=True, one_sample=False),
    Row("any_shape", "interface:hinge_flattens", strict=True, one_sample=False),
    Row("empty_batch", "interface:hinge_empty_mean_is_zero", strict=True, one_sample=False),
    Row(
        "empty_batch", "in_numpy:hinge_mean_of_nothing_is_uninitialised",
        framework="numpy", strict=True, one_sample=False,
    ),
    Row("bad_label", "interface:hinge_label_zero_is_negative", strict=True, one_sample=False),
    Row("bad_shape", "interface:hinge_broadcasts", strict=True, one_sample=False),
    Row("label_dtypes", "interface:hinge_negates_labels", one_sample=False),
    Row("label_dtypes", "interface:hinge_float_labels_only", strict=True, one_sample=False),
    # modes
    Row("forward_slope", "modes:hinge_forward_slope_past_margin", mode="forward"),
    Row("forward_slope", "in_jax:hinge_custom_jvp_past_margin", framework="jax", mode="forward", one_sample=False),
    Row("second_derivative", "modes:squared_hinge_detached_backward", "squared_hinge", mode="double_backward"),
    Row("value", "modes:hinge_default_margin_when_compiled", mode="compile", one_sample=False),
    # a NumPy gradient written by hand
    Row("cotangent_linear", "in_numpy:hinge", framework="numpy", grad="in_numpy:hinge_grad_ignores_cotangent"),
    # the textbook
    Row("textbook_binary_example", "reductions:hinge_mean_over_violators", one_sample=False),
    Row("textbook_multiclass_example", "textbook:multi_margin_divided_by_rivals", "multi_margin", one_sample=False),
    Row("hinge_embedding_is_not_hinge", "textbook:hinge_embedding_is_the_hinge", "hinge_embedding", one_sample=False),
    Row("cross_entropy_never_zero", "textbook:hinge_pushes_past_margin", one_sample=False),
    Row("squared_hinge_differentiable", "textbook:squared_hinge_with_a_kink", "squared_hinge", one_sample=False),
    # optimality: a certified problem is judged as a whole
    Row("optimal_objective", "optimality:hinge_caps_outliers", one_sample=False),
    Row("optimum_is_least", "optimality:hinge_forgives_a_little_everywhere", one_sample=False),
    Row("stationary_at_optimum", "optimality:hinge_smoothed_gradient", one_sample=False),
    Row("support_vectors", "optimality:hinge_everyone_a_support_vector", one_sample=False),
    Row("fenchel_young", "optimality:squared_hinge_with_half_the_slope", "squared_hinge"),
    Row("training", "optimality:hinge_forgives_a_little_everywhere", dtype="float64", one_sample=False),
)  # fmt: skip


class Legal(NamedTuple):
    """Variants of a loss that every law must let pass, in these modes."""

    loss: str
    framework: str
    module: str
    names: tuple[str, ...]
    modes: tuple[str, ...]
    grad: str = ""


LEGAL = (
    Legal(
        "hinge", "torch", "legal",
        ("hinge_clamp", "hinge_relu", "hinge_maximum", "hinge_where", "hinge_minimum", "hinge_of_labels_times_gap"),
        ("eager", "vmap", "forward", "double_backward"),
    ),
    Legal(
        "squared_hinge", "torch", "legal",
        ("squared_hinge_pow", "squared_hinge_where"),
        ("eager", "double_backward"),
    ),
    Legal(
        "weston_watkins", "torch", "legal",
        ("weston_watkins_loop", "weston_watkins_sorted", "weston_watkins_matmul", "weston_watkins_target_taken_off"),
        ("eager", "vmap"),
    ),
    Legal(
        "crammer_singer", "torch", "legal",
        ("crammer_singer_shared", "crammer_singer_first", "crammer_singer_last"),
        ("eager", "forward"),
    ),
    Legal("hinge", "numpy", "legal_numpy", ("hinge",), ("eager",), "legal_numpy:hinge_grad"),
    Legal("hinge", "numpy", "legal_numpy", ("hinge_clip", "hinge_where"), ("eager",)),
    Legal(
        "hinge", "jax", "legal_jax",
        ("hinge_maximum", "hinge_clip", "hinge_where", "hinge_relu"),
        ("eager", "jit", "forward"),
    ),
)  # fmt: skip
