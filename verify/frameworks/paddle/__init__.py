"""Paddle: facts."""

from hingeproof.frameworks.facts import Framework, Notation

FRAMEWORK = Framework(
    name="paddle",
    distribution="paddlepaddle",
    extra="paddle",
    adaptor="hingeproof.frameworks.paddle.adaptor",
    kernel="hingeproof.frameworks.paddle.kernel",
    of_numpy="paddle:to_tensor",
    question="import paddle; print(paddle.device.get_device())",
    timed=("eager",),
    notation=Notation(
        imports="import paddle",
        array="paddle.to_tensor({values}, dtype={dtype!r})",
        leaf="paddle.to_tensor({values}, dtype={dtype!r}, stop_gradient=False)",
        numbers="[float(v) for v in {x}.flatten().tolist()]",
        gradient=("loss = {call}", "grads = paddle.grad([loss], [{arguments}], grad_outputs=[{upstream}])"),
    ),
)
