"""What the panel costs, measured inside of Kit by benchmarks/panel.py."""
