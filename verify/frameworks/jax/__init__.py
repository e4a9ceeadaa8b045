"""JAX: facts."""

from hingeproof.frameworks.facts import Framework, Notation

FRAMEWORK = Framework(
    name="jax",
    distribution="jax",
    extra="jax",
    beside=("jaxlib",),
    references=True,
    adaptor="hingeproof.frameworks.jax.adaptor",
    kernel="hingeproof.frameworks.jax.kernel",
    of_numpy="jax.numpy:asarray",
    question="import jax; print(', '.join(f'{d.platform}:{d.id} {d.device_kind}' for d in jax.devices()))",
    modes=("eager", "jit", "vmap", "forward", "double_backward", "remat", "x64"),
    lattice=("remat", "x64"),
    compiled=("jit",),
    timed=("eager", "jit"),
    eager_compiles=True,  # each operation, for each shape
    untraceable=("TracerBoolConversionError", "ConcretizationTypeError", "TracerArrayConversionError"),
    wide_labels=False,  # outside x64
    threads=("NPROC",),  # the size of XLA's pools on the CPU
    one_thread={"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"},
    notation=Notation(
        imports="import jax, jax.numpy as jnp",
        prelude={"float64": "jax.config.update('jax_enable_x64', True)"},
        array="jnp.array({values}, dtype={dtype!r})",
        numbers="[float(v) for v in jnp.ravel({x})]",
        compilers={"jit": "jax.jit({f}{static})"},
        static=", static_argnames=('reduction',)",
        gradient=(
            "loss, pull = jax.vjp(lambda {arguments}: {call}, {arguments})",
            "grads = pull({upstream}.astype(loss.dtype))",
        ),
        shown_gradient=(
            "loss, pull = jax.vjp(lambda {arguments}: {call}, {arguments})",
            "print(loss, pull({upstream}))",
        ),
    ),
)
