"""PyTorch: facts."""

from hingeproof.frameworks.facts import Framework, Notation

FRAMEWORK = Framework(
    name="torch",
    distribution="torch",
    extra="torch",
    references=True,
    adaptor="hingeproof.frameworks.torch.adaptor",
    kernel="hingeproof.frameworks.torch.kernel",
    of_numpy="torch:from_numpy",
    question=(
        "import torch; n = torch.cuda.device_count() if torch.cuda.is_available() else 0; "
        "print(', '.join(['cpu', *('cuda:%d %s' % (i, torch.cuda.get_device_name(i)) for i in range(n))]))"
    ),
    modes=(
        "eager", "compile", "inductor", "vmap", "forward", "double_backward", "func_grad", "checkpoint", "autocast",
        "threads",
    ),
    lattice=("func_grad", "checkpoint", "autocast", "threads"),
    compiled=("compile", "inductor"),
    timed=("eager", "inductor"),
    untraceable=("Unsupported",),
    keeps_strides=True,
    notation=Notation(
        imports="import torch",
        array="torch.tensor({values}, dtype=torch.{dtype})",
        leaf="torch.tensor({values}, dtype=torch.{dtype}, requires_grad=True)",
        numbers="{x}.detach().double().reshape(-1).tolist()",
        value="loss.detach().double().reshape(-1).tolist() if hasattr(loss, 'detach') else [float(loss)]",
        compilers={"compile": "torch.compile({f}, backend='aot_eager')", "inductor": "torch.compile({f})"},
        gradient=("loss = {call}", "loss.backward({upstream}.to(loss.dtype))"),
        slope="{name}.grad if {name}.grad is not None else torch.zeros_like({name})",
        slope_shown="{name}.grad",
        shown=("loss = {call}", "print(loss)"),
        shown_gradient=("loss = {call}", "loss.backward({upstream}); print(loss, {slopes})"),
    ),
)  # fmt: skip
