"""The command `tf_ctr`, as `python -m tf_ctr.export`: its name before 0.2."""

import sys

from tf_ctr_command import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m tf_ctr.export"))
