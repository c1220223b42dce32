"""Measuring sessions: latency, throughput, load, memory."""
