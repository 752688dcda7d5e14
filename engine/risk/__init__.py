"""Limits and guards: what an order must satisfy before it is sent, and what stops trading."""
