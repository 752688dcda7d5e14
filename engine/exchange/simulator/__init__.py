"""A seeded exchange with a real matching engine, participants of its own, and virtual time."""
