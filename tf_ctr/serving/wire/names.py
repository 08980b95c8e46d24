"""Names."""

DEFAULT, STRING_IDS, CANDIDATES = "serving_default", "string_ids", "candidates"

EXAMPLES, REGRESS, CLASSIFY = "predict_examples", "regress", "classify"

CLASSES = ("no_click", "click")


def has_integer_ids(fields) -> bool:
    """Whether any of the fields has ids that are integers."""
    return any(field.dtype == "int64" for field in fields)
