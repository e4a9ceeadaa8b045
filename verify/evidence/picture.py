"""The textbook's training example as a picture: its two clusters, the certified optimum, and the model it trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from hingeproof import svm
from hingeproof.runs.figures import Boundary, SvmPicture
from hingeproof.svm.exact import rounded

EPOCHS = 200


def clusters() -> tuple[Any, Any]:
    """Two Gaussian clusters of 50 points around (2, 2) and (−2, −2), `torch.manual_seed(42)`."""
    import torch

    torch.manual_seed(42)
    X = torch.cat([torch.randn(50, 2) + 2.0, torch.randn(50, 2) - 2.0])
    return X, torch.cat([torch.ones(50), -torch.ones(50)])


def trained(X: Any, y: Any) -> Any:
    """The model after the textbook's 200 epochs: mean hinge, SGD with lr 0.01 and weight decay 0.01, full batches."""
    import torch

    from hingeproof.contracts.textbook_code import hinge_loss

    model = torch.nn.Linear(2, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.01)
    for _ in range(EPOCHS):
        sgd.zero_grad()
        hinge_loss(model(X).squeeze(1), y).backward()
        sgd.step()
    return model


def picture() -> SvmPicture:
    """Solve and train. The objective is that of weight decay: ½‖w‖² + ½b² + C Σ, C = 1/(λn) = 1."""
    X, y = clusters()
    model = trained(X, y)
    data, signs = X.double().numpy(), y.double().numpy()
    optimum = svm.solve(data, signs, C=1, bias="regularised")
    widest = svm.solve(data, signs, hard=True).margin
    assert optimum.w is not None
    assert optimum.objective is not None
    assert widest is not None
    w = model.weight.detach().double().numpy()[0]
    b = float(model.bias.detach()[0])
    scores = signs * (data @ w + b)
    values = np.maximum(0, 1 - scores)
    nearest = float(scores.min()) / float(np.linalg.norm(w))
    reached = float((w @ w + b * b) / 2 + values.sum())
    best = rounded(optimum.objective)
    certified = [rounded(v) for v in optimum.w]
    return SvmPicture(
        name="The textbook's two clusters",
        points=[(x1, x2) for x1, x2 in np.round(data, 4).tolist()],
        labels=[int(s) for s in signs],
        support=list(optimum.support),
        optimum=Boundary("certified optimum", (certified[0], certified[1]), rounded(optimum.b)),
        trained=[Boundary(f"SGD, {EPOCHS} epochs", (float(w[0]), float(w[1])), b)],
        facts={
            "certified": f"{optimum.status}, objective {best:.6g}, {len(optimum.support)} support vectors",
            f"SGD, {EPOCHS} epochs (dashed)": f"objective {reached:.6g}, {(reached - best) / best:.2%} above",
            "accuracy": f"{float((scores > 0).mean()):.0%}",
            "margin": f"nearest point at {nearest:.4g}, {nearest / widest:.1%} of the maximum margin {widest:.4g}",
        },
    )
