"""The paper's stages, one file each."""
