"""Slow, plain twins of the readers: each takes the UTF-8 text of a file and gives its records as dicts.

A record holds `row` and what was recorded; a column that is missing was not recorded. Rejected rows give nothing.
"""
