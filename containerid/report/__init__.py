"""Pages that a person reads: one self-contained HTML file each, without a script and without a request."""
