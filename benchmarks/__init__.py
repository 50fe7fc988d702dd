"""`python -m benchmarks`: what a sync costs in requests, time, CPU and memory, beside a plain loop over the API."""
