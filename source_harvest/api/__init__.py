"""Harvest's API over HTTP: client and session, authentication, rate limits, retries, and the reading of paged lists.

It knows no stream. Of the package's root it may import only `config`, `errors` and `secret_filter`.
"""
