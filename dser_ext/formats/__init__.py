"""Tracks and keys to files and back; one file a named format; never touches audio."""
