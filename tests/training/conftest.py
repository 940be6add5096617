"""Tests of dser_training run where the training extra is installed."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["*"]
