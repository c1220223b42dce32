"""The machine as this process may use it: processor, instruction sets, threads, governor, load."""

from __future__ import annotations

import hashlib
import math
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from .needs import version_of

# What inference engines choose their kernels by; the whole flag list would drown a report.
_INSTRUCTION_SETS = (
    "sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve",
)  # fmt: skip
_PACKAGES = (
    "numpy",
    "torch",
    "onnx",
    "onnxruntime",
    "openvino",
    "nncf",
    "litert-torch",
    "ai-edge-litert",
    "ai-edge-quantizer",
    "tensorflow",
    "ncnn",
    "pnnx",
    "coremltools",
)


@dataclass(frozen=True)
class Machine:
    """A machine's description in a report. ``threads`` is what this process may use, not what the host has."""

    cpu: str
    instruction_sets: tuple[str, ...]
    threads: int
    memory_gib: float
    governor: str
    system: str
    python: str
    versions: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """A short hash of what decides which artifact is fastest: processor, instruction sets and threads."""
        text = f"{self.cpu} {sorted(self.instruction_sets)} {self.threads}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def available_threads() -> int:
    """How many threads this process can run at once: the affinity mask, cut by the cgroup's CPU quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_cpus()
    return max(1, min(affinity, math.floor(quota)) if quota else affinity)


def _cgroup_cpus() -> float | None:
    v2 = _read("/sys/fs/cgroup/cpu.max").split()
    if len(v2) == 2 and v2[0] != "max":
        return int(v2[0]) / int(v2[1])
    quota, period = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota and period and int(quota) > 0:
        return int(quota) / int(period)
    return None


def available_memory() -> int:
    """How many bytes this process and its children can still use: what the machine has free, cut by the cgroup's limit.

    Where the system does not tell what is free, half of what it has; where it tells nothing, 8 GiB.
    """
    free = _meminfo("MemAvailable") or _physical_bytes() // 2 or 8 * 2**30
    limits = [free]
    for limit, used, kept in _CGROUP_MEMORY:
        most, now = _read(limit), _read(used)
        if most.isdigit() and now.isdigit():
            # The page cache counts as used, and is given up when memory is needed.
            limits.append(max(0, int(most) - int(now) + _stat(kept, "inactive_file")))
    return min(limits)


_CGROUP_MEMORY = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.stat"),
)


def _stat(path: str, name: str) -> int:
    return next((int(line.split()[1]) for line in _read(path).splitlines() if line.split()[0] == name), 0)


def _meminfo(name: str) -> int:
    return next((int(line.split()[1]) * 1024 for line in _read("/proc/meminfo").splitlines() if line.startswith(f"{name}:")), 0)


def _physical_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


def load_average() -> float:
    """The one-minute load average, 0 where the system has none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def this_system() -> str:
    """The operating system by the name that people know: Linux, macOS or Windows."""
    name = platform.system()
    return "macOS" if name == "Darwin" else name


def instruction_sets() -> tuple[str, ...]:
    """Those of this processor by which engines choose their kernels; none where the system does not tell."""
    return _instruction_sets(_cpuinfo())


def _cpuinfo() -> dict[str, str]:
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in _read("/proc/cpuinfo").splitlines())}


def _instruction_sets(fields: dict[str, str]) -> tuple[str, ...]:
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return tuple(name for name in _INSTRUCTION_SETS if name in flags)


def this_machine() -> Machine:
    """Describe the machine this process runs on."""
    fields = _cpuinfo()
    return Machine(
        cpu=fields.get("model name") or platform.processor() or platform.machine(),
        instruction_sets=_instruction_sets(fields),
        threads=available_threads(),
        memory_gib=round(_physical_bytes() / 2**30, 1),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=sys.version.split()[0],
        versions={name: version for name in _PACKAGES if (version := version_of(name))},
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
