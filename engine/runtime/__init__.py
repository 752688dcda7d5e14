"""The composition root and the loop: builds an engine from its configuration, drives it, ends it."""
