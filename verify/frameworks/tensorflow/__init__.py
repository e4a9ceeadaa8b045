"""TensorFlow: facts."""

from hingeproof.frameworks.facts import Framework, Notation

FRAMEWORK = Framework(
    name="tensorflow",
    distribution="tensorflow-cpu",
    extra="tensorflow",
    adaptor="hingeproof.frameworks.tensorflow.adaptor",
    kernel="hingeproof.frameworks.tensorflow.kernel",
    of_numpy="tensorflow:constant",
    question="import tensorflow as tf; print(', '.join(d.name for d in tf.config.list_logical_devices()))",
    modes=("eager", "compile"),
    compiled=("compile",),
    timed=("eager", "compile"),
    untraceable=("OperatorNotAllowedInGraphError",),
    threads=("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    notation=Notation(
        imports="import tensorflow as tf",
        array="tf.constant({values}, dtype=tf.{dtype})",
        numbers="[float(v) for v in tf.reshape({x}, [-1])]",
        compilers={"compile": "tf.function({f}, autograph=False)"},
        gradient=(
            "with tf.GradientTape() as tape:",
            "    tape.watch([{arguments}])",
            "    loss = {call}",
            "grads = tape.gradient(loss, [{arguments}], output_gradients={upstream})",
        ),
    ),
)
