"""Frames of both Coinbase APIs: decoded, counted, and made into events."""
