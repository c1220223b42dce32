"""What Ctrl-C is answered with, wherever it comes: a module of its own, because it is known before anything else is imported."""

INTERRUPTED = "interrupted; what was complete is kept, run the same command again to go on"
