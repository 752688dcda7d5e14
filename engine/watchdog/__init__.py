"""A process of its own that cancels everything of ours when the engine is silent (control R25).

Needed because the venue has neither cancel-on-disconnect nor a dead man's timer.
"""
