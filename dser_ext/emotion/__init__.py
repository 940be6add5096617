"""The nouns of emotion: pure numpy, no input or output."""
