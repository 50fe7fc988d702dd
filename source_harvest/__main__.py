"""Makes `python -m source_harvest` the same as the console script `source-harvest`."""

from source_harvest.run import run

if __name__ == "__main__":
    run()
