"""A field of past ids of another field."""

import dataclasses

from tf_ctr.errors import check_choice
from tf_ctr.features.categorical import Categorical
from tf_ctr.features.checks import POOLINGS, check_name, set_count


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A history: per row a list of ids of the field `of`, oldest first.

    It shares the vocabulary and the embedding table of that field. Its own values do
    not count for the vocabulary: an id seen in histories only is an unseen one.

    Args:
        name: The column of the frame, and the name of the Keras input.
        of: The `Categorical` field whose ids these are.
        max_length: Ids kept of each row, the newest (last) ones.
        pooling: `"mean"` or `"sum"` over the ids, for backbones that pool.

    Raises:
        ValueError: For a wrong argument.

    Example:

    >>> from tf_ctr.features import Categorical, Schema, Sequence
    >>> item = Categorical("item", vocabulary=[3, 5])
    >>> schema = Schema([item, Sequence("history", of="item", max_length=2)])
    >>> schema.encode({"item": [5], "history": [[9, 5, 3]]})["history"].numpy()
    array([[3, 2]])
    """

    name: str
    of: str
    max_length: int = 50
    pooling: str = "mean"
    # The field `of` itself, set by the schema.
    owner: Categorical | None = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )

    multivalent = True
    keeps_newest = True

    def __post_init__(self):
        check_name(self.name)
        check_name(self.of)
        set_count(self, "max_length", 1)
        check_choice("pooling", self.pooling, POOLINGS)

    def owned_by(self, owner: Categorical) -> "Sequence":
        """Returns a copy that knows its field `of`."""
        copy = dataclasses.replace(self)
        object.__setattr__(copy, "owner", owner)
        return copy

    @property
    def table(self) -> str:
        """The field that owns the embedding table: `of`."""
        return self.of

    @property
    def table_size(self) -> int | None:
        """Rows of the embedding table of `of`."""
        return self.owner.table_size

    @property
    def dtype(self) -> str | None:
        """The dtype of `of`."""
        return self.owner.dtype

    @property
    def padding(self) -> str | int | None:
        """The padding value of `of`."""
        return self.owner.padding

    @property
    def fitted(self) -> bool:
        """Whether the field `of` is fitted."""
        return self.owner.fitted
