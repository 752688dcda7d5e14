"""Edges to markets: simulated, recorded and real. Imports the core only."""
