"""What a stream can be: a list, embedded in or below a parent's rows, joined from lists, a report, or deletions.

The classes know no stream by name; `streams` states the facts of each. Imports only `state`, `api` and the root's
errors and config.
"""
