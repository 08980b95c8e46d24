"""`python -m tf_ctr.export` is `python -m tf_ctr.serving`, its name before 0.2."""

import sys

from tf_ctr.serving.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
