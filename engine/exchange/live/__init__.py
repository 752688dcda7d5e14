"""The trading edge of a live venue: orders that cannot be lost."""
