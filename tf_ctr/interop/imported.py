"""What was made of another library's description of fields."""

import dataclasses
from collections.abc import Sequence

from tf_ctr.features import Schema
from tf_ctr.features.field import Field


@dataclasses.dataclass(frozen=True)
class Imported:
    """A schema from another library, and what was lost on the way. Print it.

    Attributes:
        schema: A `Schema`, to be fitted on the training rows.
        embedding_dim: `{field: embedding dim}` of the fields that state one, for the
            `embedding_dim` of a backbone.
        notes: A sentence for everything that has no counterpart, or another meaning.
    """

    schema: Schema
    embedding_dim: dict[str, int]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        kinds = [f"{field.name}: {field.kind}" for field in self.schema.fields]
        lines = [f"{len(kinds)} fields: {', '.join(kinds)}"]
        lines += [f"- {note}" for note in self.notes] or [
            "Everything has a counterpart."
        ]
        return "\n".join(lines)


@dataclasses.dataclass
class Notes:
    """Collects fields, embedding dims and sentences while a description is read.

    Attributes:
        fields: The fields so far.
        dims: `{field: embedding dim}`.
        sentences: The sentences.
    """

    fields: list[Field] = dataclasses.field(default_factory=list)
    dims: dict[str, int] = dataclasses.field(default_factory=dict)
    sentences: list[str] = dataclasses.field(default_factory=list)

    def add(self, name: str, setting: str, meaning: str) -> None:
        """Notes what a setting of a field has become.

        Args:
            name: The field.
            setting: The setting, as the other library spells it.
            meaning: What it is here, or what to do.
        """
        self.sentences.append(f"{name}, {setting}: {meaning}")

    def imported(
        self, label: str | Sequence[str], group: str | None = None
    ) -> Imported:
        """Returns the result.

        Args:
            label: The column of the label, or of several.
            group: The column of the group.
        """
        labels = (label,) if isinstance(label, str) else tuple(label)
        schema = Schema(self.fields, group=group, labels=labels)
        return Imported(schema, self.dims, tuple(self.sentences))
