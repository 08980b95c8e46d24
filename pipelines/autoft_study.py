"""Runs `pipelines.compare.autoft_study`: `python -m pipelines.autoft_study --help`."""

from pipelines.compare.autoft_study import main

if __name__ == "__main__":
    main()
