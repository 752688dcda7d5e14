"""The local venue as Advanced Trade: REST, market data and user channel."""
