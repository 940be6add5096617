"""How good a model bundle is, through the same code that animators run."""
