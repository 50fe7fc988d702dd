"""What is remembered between syncs: the streams' states, and the ids of delivered and deleted records.

Progress within a sync is here too, because it becomes the next state. Imports only `api` and the root's errors and
config.
"""
