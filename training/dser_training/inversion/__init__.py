"""Emotions back from facial animation, by inverting an Audio2Face network (paper, equation 8)."""
