"""What a program needs beyond the library, asked for before it computes."""

import importlib.util

from tf_ctr.errors import explain


def require(*modules: str) -> None:
    """Raises an error that says what to install, if a module is missing.

    A program calls it before its first row, so that hours of training do not end in an
    import that fails.

    Args:
        modules: Names of modules that the extra `pipelines` installs.

    Raises:
        SystemExit: If one of them is missing.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise SystemExit(
            explain(
                f"{' and '.join(modules)}, for the tables and figures",
                f"a Python without {' and '.join(missing)}",
                'run pip install -e ".[pipelines]" in the checkout',
            )
        )
