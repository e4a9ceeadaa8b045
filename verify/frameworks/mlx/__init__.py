"""MLX: facts."""

from hingeproof.frameworks.facts import Framework, Notation

FRAMEWORK = Framework(
    name="mlx",
    distribution="mlx",
    extra="mlx",
    adaptor="hingeproof.frameworks.mlx.adaptor",
    kernel="hingeproof.frameworks.mlx.kernel",
    of_numpy="mlx.core:array",
    question="import mlx.core as mx; print(mx.default_device())",
    modes=("eager", "compile", "vmap", "forward", "double_backward"),
    compiled=("compile",),
    timed=("eager", "compile"),
    recompiles=False,  # a process keeps what it compiled
    serial=True,
    notation=Notation(
        imports="import mlx.core as mx, numpy as np",
        array="mx.array(np.array({values}, dtype=np.float32)).astype(mx.{dtype})",
        integers="mx.array(np.array({values}, dtype=np.{dtype}))",
        array_of={"float64": "mx.array(np.array({values}, dtype=np.float64), dtype=mx.float64)"},
        numbers="[float(v) for v in {x}.astype(mx.float32).reshape(-1).tolist()]",
        compilers={"compile": "mx.compile({f})"},
        gradient=("_, grads = mx.vjp(lambda {arguments}: {call}, [{arguments}], [{upstream}])",),
    ),
)
