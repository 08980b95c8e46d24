"""Runs the command `tf_ctr` as `python -m tf_ctr`."""

import sys

from tf_ctr_command import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m tf_ctr"))
