"""A 3D head drawn without GPU or browser, that shows what the emotions of a line look like."""
