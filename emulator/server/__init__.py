"""Harvest over HTTP: endpoints, paging, filters, permissions, tokens, rate limits, and faults on demand.

`hosted_account.py` holds everything that the server knows of an account and that a test may set.
It imports `account/` only.
"""
