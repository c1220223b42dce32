"""One module a package: ``NETWORKS`` are those of it."""
