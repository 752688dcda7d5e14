"""What the console draws: one widget family a file. Each takes a scene and draws it; no I/O."""
