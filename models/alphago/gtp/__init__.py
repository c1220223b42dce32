"""Go Text Protocol, version 2 (Farnebäck 2002): this project as an engine, and other engines as opponents."""
