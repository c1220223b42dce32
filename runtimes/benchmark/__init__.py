"""Measuring sessions: latency, throughput, load, memory. One process measures at a time, a fresh one each round or heat."""

from __future__ import annotations

from .runner import BenchmarkInterrupted, Progress, run_benchmark, run_heats

__all__ = ["BenchmarkInterrupted", "Progress", "run_benchmark", "run_heats"]
