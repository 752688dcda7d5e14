"""What to quote and why: strategies, their settings, their signals. Imports the core only."""
