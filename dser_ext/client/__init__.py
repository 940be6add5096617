"""Everything that talks to our own service."""
