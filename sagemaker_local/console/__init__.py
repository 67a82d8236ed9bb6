"""A page to look at what runs: read-only, rendered here, without a script."""
