"""Integer options, which every benchmark has."""


def add_counts(parser, counts):
    """Adds an integer option for each `(name, default, description)`."""
    for name, default, text in counts:
        parser.add_argument(
            f"--{name}",
            type=int,
            default=default,
            metavar="N",
            help=f"{text} (default: {default})",
        )
