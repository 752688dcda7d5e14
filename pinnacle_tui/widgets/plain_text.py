"""Text of others as harmless data."""

from engine.core.foreign_text import visible as plain

__all__ = ["plain"]
