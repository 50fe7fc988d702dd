"""`python -m demo`: a Harvest account in a DuckDB file, and a look at it."""
