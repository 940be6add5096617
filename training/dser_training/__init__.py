"""Training: corpora, networks, the paper's stages, evaluation and export. Imports dser_ext, never the reverse."""
