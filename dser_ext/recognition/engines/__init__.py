"""Engines: a bundle's feature network as NVIDIA TensorRT runs it, built ahead of time for one kind of GPU."""
