"""NumPy: facts."""

from hingeproof.frameworks.facts import Framework, Notation

FRAMEWORK = Framework(
    name="numpy",
    distribution="numpy",
    references=True,
    adaptor="hingeproof.frameworks.numpy.adaptor",
    kernel="hingeproof.frameworks.numpy.kernel",
    question="import numpy; print('cpu')",
    timed=("eager",),
    autograd=False,
    keeps_strides=True,
    # of the libraries that NumPy, or anything beside it, may compute with
    threads=(
        "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    ),
    serial=True,
    notation=Notation(
        imports="import numpy as np",
        imports_of={"bfloat16": "import numpy as np, ml_dtypes"},
        array="np.array({values}, dtype={dtype!r})",
        array_of={"bfloat16": "np.array({values}, dtype=ml_dtypes.bfloat16)"},
        numbers="[float(v) for v in np.ravel({x})]",
    ),
)  # fmt: skip
