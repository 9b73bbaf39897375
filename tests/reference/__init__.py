"""Slow, obvious twins of the classifier, written from the contract alone.

The twins import nothing of poolsift; only `worlds`, `encodings`, `compare`,
`compare_spf`, `spf_sides` and `spf_suite`, which put both sides beside each other, do; Answer and Question are data.
"""
