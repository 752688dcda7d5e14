"""Requests to both Coinbase APIs: one account behind one interface."""
