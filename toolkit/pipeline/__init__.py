"""The jobs that join models, converters and runtimes: train, convert, verify, benchmark, report, load."""
