"""What `benchmarks/speed.py` measures: who takes part, each in its own processes, and what the processor could do."""
