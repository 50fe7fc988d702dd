"""How one sync runs: the engine reads each list once and hands its rows to every stream that is made of it.

A stream's partitions are read in parallel; its state is emitted once the rows it covers are out. Imports
`stream_types`, `state`, `api`, `errors` and `config`, and knows no stream of `streams` by name.
"""
