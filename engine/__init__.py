"""pinnacle-tui's engine: a market maker, its exchanges and its records, without a screen."""
