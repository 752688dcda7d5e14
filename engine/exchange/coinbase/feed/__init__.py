"""Live connections: market data and news of our own orders as they happen."""
