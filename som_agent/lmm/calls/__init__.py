"""Calling a model: tried again where that helps, within limits, kept, and written down.

`caller` does it, `limits` says what it may cost, `cache`, `trace` and `replay` keep what was replied.
"""
