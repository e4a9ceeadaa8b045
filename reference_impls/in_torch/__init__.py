"""The losses in PyTorch: functions by family, and an nn.Module beside each: `hinge`, `HingeLoss`."""

from typing import TYPE_CHECKING

from hingeproof.reference_impls.in_torch.binary import *
from hingeproof.reference_impls.in_torch.metric import *
from hingeproof.reference_impls.in_torch.modules import FUNCTIONS, MODULES
from hingeproof.reference_impls.in_torch.multiclass import *
from hingeproof.reference_impls.in_torch.regression import *

if TYPE_CHECKING:
    from torch import nn

    def __getattr__(name: str) -> type[nn.Module]:
        """The modules: they are made, so a type checker cannot see their names."""


globals().update(MODULES)
__all__ = sorted((*FUNCTIONS, *MODULES))
