"""Measuring sessions: latency, throughput, load, memory. One process measures at a time, a fresh one each round or heat."""

from __future__ import annotations

from .pairs import Paired, run_pairs
from .runner import BenchmarkInterrupted, RoundProgress, run_benchmark, run_heats

__all__ = ["BenchmarkInterrupted", "Paired", "RoundProgress", "run_benchmark", "run_heats", "run_pairs"]
