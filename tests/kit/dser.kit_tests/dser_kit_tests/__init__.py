"""Tests of the extension, to be run inside of Kit."""
