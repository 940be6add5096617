"""Many lines at once: found, recognised by workers, written in several formats, and kept account of in a ledger."""
