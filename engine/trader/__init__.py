"""The deterministic heart: events in, order commands out."""
