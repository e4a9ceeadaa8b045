"""What is known of a framework without importing it. Each has a folder whose `__init__` says it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Notation:
    """How witnesses and repro scripts are written: source text, with braces where something is put in.

    imports: the line of imports; imports_of: another one for a dtype. prelude: a line after it, for a dtype.
    array: of `{values}` (nested lists of numbers) and `{dtype}`. Instead of it, where they are given: leaf, one that a
    gradient is asked of; integers, one of integers; array_of, one of that dtype.
    numbers: `{x}`, an array, as a flat list of floats; value: the same of the variable `loss`, if that may be no array.
    compilers: by mode, `{f}` compiled; `{static}` stands for `static` where f has an argument `reduction`.
    gradient: the lines after which slope is the gradient of the `{i}`-th input, `{name}`. They are written with
    `{call}`, `{arguments}` (the inputs) and `{upstream}` (the cotangent, an array).
    shown: lines that print the loss; shown_gradient: and its gradient, which may use `{slopes}`, all of `slope_shown`.
    """

    imports: str
    imports_of: Mapping[str, str] = field(default_factory=dict)
    prelude: Mapping[str, str] = field(default_factory=dict)
    array: str
    leaf: str = ""
    integers: str = ""
    array_of: Mapping[str, str] = field(default_factory=dict)
    numbers: str
    value: str = ""
    compilers: Mapping[str, str] = field(default_factory=dict)
    static: str = ""
    gradient: tuple[str, ...] = ()
    slope: str = "grads[{i}]"
    slope_shown: str = "grads[{i}]"
    shown: tuple[str, ...] = ("print({call})",)
    shown_gradient: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Framework:
    """A framework: facts alone, so that a table of all can be had where none of them is installed.

    name: what is imported, too. distribution: what pip installs; extra: the one of ours that brings it, if any;
    beside: other distributions whose release decides how it behaves.
    references: whether every loss has its reference functions in it. adaptor, kernel: the modules with its `subject`
    (for `verify`) and its `Kernel` (for `bench`); both import it. question: Python that prints its devices.

    modes: ways through it, eager first; of these lattice: the same points again, nightly or by --mode; compiled: those
    where a setting or a shape is a compilation; timed: those of `bench`, none where there is no kernel.
    autograd: it differentiates; otherwise gradients come from a function of their own. eager_compiles: eager calls
    compile too, for each new shape. recompiles: a process can compile the same again, so compilations can be timed.
    untraceable: names of what its compilers raise for a callable that branches on its data.

    of_numpy: `module:attribute` of what makes an array of a NumPy one.
    keeps_strides: its arrays can be laid out as ours are. wide_labels: it holds 64-bit labels beside narrow scores.
    threads: variables that hold the number of its threads; one_thread: words to add to others where that is 1;
    serial: it computes in one thread whatever it is told.
    """

    name: str
    distribution: str
    extra: str = ""
    beside: tuple[str, ...] = ()
    references: bool = False
    adaptor: str
    kernel: str = ""
    question: str
    notation: Notation
    modes: tuple[str, ...] = ("eager",)
    lattice: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()
    timed: tuple[str, ...] = ()
    autograd: bool = True
    eager_compiles: bool = False
    recompiles: bool = True
    untraceable: tuple[str, ...] = ()
    of_numpy: str = "numpy:asarray"
    keeps_strides: bool = False
    wide_labels: bool = True
    threads: tuple[str, ...] = ()
    one_thread: Mapping[str, str] = field(default_factory=dict)
    serial: bool = False
