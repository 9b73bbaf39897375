"""Slow, obvious twins of the classifier, written from the contract alone.

The twins import nothing of poolsift; only `worlds`, `encodings` and `compare`, which put both sides beside each other, do.
"""
