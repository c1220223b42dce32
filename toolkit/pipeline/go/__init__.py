"""Play and learning through deployed artifacts: what joins `toolkit.models.alphago` to the runtimes and the converters."""
