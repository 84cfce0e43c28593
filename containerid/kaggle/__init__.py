"""Kaggle: its protocol, its kernels, and an embedded stand-in for rehearsals."""
