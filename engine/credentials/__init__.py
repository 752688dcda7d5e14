"""Keys at rest: the encrypted vault, how it is unlocked, and how nothing of it is seen."""
