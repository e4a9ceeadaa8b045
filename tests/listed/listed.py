"""A framework whose arrays are lists of floats. What a loss gives carries its slopes, written by hand."""


class Losses(list):
    """Losses by sample, and the slope of each in its score."""

    def __init__(self, values, slopes):
        super().__init__(values)
        self.slopes = slopes


class Mean(float):
    """Their mean, which has slopes too."""


def _both(scores, targets, past):
    gaps = [1 - y * s for s, y in zip(scores, targets, strict=True)]
    values = [gap if not gap <= 0 else 0.0 for gap in gaps]  # NaN stays
    return Losses(values, [-y if not gap <= 0 else past for y, gap in zip(targets, gaps, strict=True)])


def hinge(scores, targets):
    return _both(scores, targets, 0.0)


def leaky(scores, targets):
    """Its values are right, and past the margin its slope is not 0."""
    return _both(scores, targets, 0.01)


def mean(losses):
    out = Mean(sum(losses) / len(losses) if losses else float("nan"))
    out.slopes = [slope / len(losses) for slope in losses.slopes]
    return out


def pull(losses, upstream):
    """The gradient of Σ upstream · losses in the scores."""
    return [u * slope for u, slope in zip(upstream, losses.slopes, strict=True)]
