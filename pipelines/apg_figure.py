"""Runs `pipelines.apg.figure`: `python -m pipelines.apg_figure --help`."""

from pipelines.apg.figure import main

if __name__ == "__main__":
    main()
