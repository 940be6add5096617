"""Dynamic speech emotion recognition for NVIDIA Audio2Face."""

__version__ = "0.1.0"
