"""Programs that use som-agent; not part of the installed package."""
