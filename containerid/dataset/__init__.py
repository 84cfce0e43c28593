"""Sets of images: reading, checking, splitting and importing them. Needs no torch, and runs at both ends."""
