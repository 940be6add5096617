"""Everything that talks to Audio2Face."""
