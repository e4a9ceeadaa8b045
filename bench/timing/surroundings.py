"""Where timings were taken: what makes two runs comparable (hashed), and what changes by the minute (never hashed)."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hingeproof.frameworks.environment import LIBRARIES, cpus, processor, version
from hingeproof.frameworks.registry import FRAMEWORKS

# The versions that decide how fast compiled code is. Not rax's: it came later, and a name more would begin a new
# segment of every series.
DECIDING = (
    *(name for f in FRAMEWORKS.values() for name in (f.distribution, *f.beside)),
    *(name for name in LIBRARIES.values() if name != "rax"),
    "ml_dtypes",
)


def comparable(threads: int) -> dict[str, str]:
    """Interpreter, versions, processor, memory and threads: a change of these starts a new segment of a series."""
    found = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "os": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "cpus": str(cpus()),
        "last_level_cache": str(last_level_cache()),
        "threads": str(threads),
        "device": device(),
    }
    return found | {name: v for name in DECIDING if (v := version(name)) is not None}


def volatile() -> dict[str, str]:
    """Clock frequency, load, free memory, kernel."""
    return {
        "load": " ".join(f"{x:.2f}" for x in os.getloadavg()),
        "mhz": _first("/proc/cpuinfo", "cpu MHz"),
        "available": _first("/proc/meminfo", "MemAvailable"),
        "kernel": platform.release(),
        "governor": _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }


def hashed(environment: Mapping[str, str]) -> str:
    """A short name of the comparable environment."""
    return hashlib.sha256(msgspec.json.encode(dict(sorted(environment.items())))).hexdigest()[:16]


def device() -> str:
    """The model of the first NVIDIA device, as its driver says it; nothing where there is none."""
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        return next((x.partition(":")[2].strip() for x in _lines(path) if x.startswith("Model")), "")
    return ""


def last_level_cache() -> int:
    """Bytes of the largest cache of the first processor; 32 MiB where it is not told."""
    sizes = [32 << 20] if not Path("/sys/devices/system/cpu/cpu0/cache").exists() else []
    for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        text = path.read_text().strip()
        unit = {"K": 1 << 10, "M": 1 << 20}.get(text[-1:], 1)
        sizes.append(int(text.rstrip("KM")) * unit)
    return max(sizes, default=32 << 20)


def memory(device: str = "cpu") -> int:
    """Bytes of memory that this process may use: the machine's, or its control group's; or all of the device's."""
    if device != "cpu":
        return _device_memory()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _text("/sys/fs/cgroup/memory.max")
    return min(total, int(limit)) if limit.isdigit() else total


def _device_memory() -> int:
    """As the driver of the first CUDA device says; without one no bound, and the row will say that it is not here."""
    number, total = ctypes.c_int(), ctypes.c_size_t()
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 1 << 62
    found = not cuda.cuInit(0) and not cuda.cuDeviceGet(ctypes.byref(number), 0)
    told = found and not cuda.cuDeviceTotalMem_v2(ctypes.byref(total), number)
    return total.value if told else 1 << 62


def _lines(path: str | Path) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _first(path: str, name: str) -> str:
    return next((line.partition(":")[2].strip() for line in _lines(path) if line.startswith(name)), "")


def _text(path: str) -> str:
    return " ".join(_lines(path)).strip()
