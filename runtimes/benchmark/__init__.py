"""Measuring sessions: latency, throughput, load, memory. One process measures at a time, a fresh one each round or heat."""

from __future__ import annotations

from .runner import BenchmarkInterrupted, RoundProgress, run_benchmark, run_heats, run_pairs

__all__ = ["BenchmarkInterrupted", "RoundProgress", "run_benchmark", "run_heats", "run_pairs"]
