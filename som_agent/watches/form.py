"""Conditions as a form that a language model fills in: a tool schema without a reference to itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from som_agent.watches.conditions import Condition
from som_agent.watches.written import condition_from_json

__all__ = ["When", "condition_of"]

Label = Annotated[int | str, Field(description="Number or label of a mark, 3 or '3a'.")]
AnyMark = Annotated[
    int | str | None, Field(description="Number or label of a mark; leave it out to mean any mark.")
]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ZoneForm(_Form):
    """A part of the picture, in pixels of the source: give either box or polygon."""

    box: list[float] | None = Field(None, description="[x0, y0, x1, y1] in source pixels.")
    polygon: list[list[float]] | None = Field(None, description="Corners [[x, y], ...] in source pixels.")
    name: str = Field("", description="What to call it in messages, 'the door' for example.")


class AppearsForm(_Form):
    """A mark with a new number appears."""

    kind: Literal["appears"]
    mark: AnyMark = None


class LeavesForm(_Form):
    """A mark is not visible any more."""

    kind: Literal["leaves"]
    mark: AnyMark = None
    how: Literal["gone", "hidden"] | None = Field(
        None, description="'gone': out of the picture or given up; 'hidden': behind something. Both if left out."
    )


class ComesBackForm(_Form):
    """A mark is visible again after it was hidden or out of the picture."""

    kind: Literal["comes_back"]
    mark: AnyMark = None


class MovesForm(_Form):
    """A mark starts to move."""

    kind: Literal["moves"]
    mark: AnyMark = None


class StopsForm(_Form):
    """A mark has stood still for some seconds."""

    kind: Literal["stops"]
    mark: AnyMark = None
    seconds: float = Field(1.0, description="How long it must have stood still.")


class SpeedForm(_Form):
    """A mark gets faster or slower than a speed."""

    kind: Literal["faster", "slower"]
    mark: AnyMark = None
    speed_px_s: float = Field(description="The speed in source pixels a second.")


class ZoneCrossedForm(_Form):
    """A mark enters or leaves a part of the picture; half of its mask decides."""

    kind: Literal["enters", "exits"]
    mark: AnyMark = None
    zone: ZoneForm


class NearForm(_Form):
    """Two marks come near each other."""

    kind: Literal["near"]
    mark: Label
    other: AnyMark = None
    distance_px: float = Field(description="Source pixels between the nearest pixels of the two masks.")


class TouchesForm(_Form):
    """Two marks touch."""

    kind: Literal["touches"]
    mark: Label
    other: AnyMark = None


class BesideForm(_Form):
    """A mark comes to be on one side of another, as the picture shows it."""

    kind: Literal["beside"]
    mark: Label
    other: AnyMark = None
    side: Literal["left_of", "right_of", "above", "below"]


class ChangesColorForm(_Form):
    """Another colour comes to cover most of a mark."""

    kind: Literal["changes_color"]
    mark: AnyMark = None
    to: str | None = Field(
        None,
        description="black, white, grey, red, orange, yellow, green, blue, purple, pink or brown; any if left out.",
    )


class ChangesSizeForm(_Form):
    """The area of a mark grows or shrinks."""

    kind: Literal["changes_size"]
    mark: AnyMark = None
    factor: float = Field(description="Of its area: 2 for twice as large, 0.5 for half as large.")


Simple = Annotated[
    AppearsForm | LeavesForm | ComesBackForm | MovesForm | StopsForm | SpeedForm | ZoneCrossedForm | NearForm
    | TouchesForm | BesideForm | ChangesColorForm | ChangesSizeForm,
    Field(discriminator="kind"),
]  # fmt: skip


class AndForm(_Form):
    """All of the conditions hold at once."""

    kind: Literal["and"]
    conditions: list[Simple] = Field(description="Two or more.")


class OrForm(_Form):
    """Any one of the conditions becomes true."""

    kind: Literal["or"]
    conditions: list[Simple] = Field(description="Two or more.")


Joined = Annotated[
    AppearsForm | LeavesForm | ComesBackForm | MovesForm | StopsForm | SpeedForm | ZoneCrossedForm | NearForm
    | TouchesForm | BesideForm | ChangesColorForm | ChangesSizeForm | AndForm | OrForm,
    Field(discriminator="kind"),
]  # fmt: skip


class ThenForm(_Form):
    """First one condition becomes true, and after that another one."""

    kind: Literal["then"]
    first: Joined
    second: Joined
    within_s: float = Field(10.0, description="Most seconds from the first to the second.")


class When(
    RootModel[
        Annotated[
            AppearsForm | LeavesForm | ComesBackForm | MovesForm | StopsForm | SpeedForm | ZoneCrossedForm
            | NearForm | TouchesForm | BesideForm | ChangesColorForm | ChangesSizeForm | AndForm | OrForm
            | ThenForm,
            Field(discriminator="kind"),
        ]
    ]
):  # fmt: skip
    """What to wait for."""


def condition_of(form: When) -> Condition:
    """The condition that a filled-in form means.

    Raises:
        InputError: a value that makes no sense; it names it.
    """
    return condition_from_json(form.model_dump(exclude_none=True))
