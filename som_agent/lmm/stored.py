"""What the user knows of a model beyond its family, on disk: how well it reads marks, and what it costs.

One JSON file per model, by the name it is called by, in the folder `profiles` of the user's configuration
folder; the variable SOM_AGENT_HOME names another one. The files are meant to be read and edited by hand.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from som_agent.errors import InputError, OutputError, SomError
from som_agent.lmm.profiles import Price, Profile
from som_agent.marks.style import parse_draw
from som_agent.marks.view import View

__all__ = [
    "Calibration",
    "Cell",
    "StoredProfile",
    "home",
    "prepared",
    "profile_path",
    "read_stored",
    "stored_profiles",
    "write_stored",
]

_MEND = "mend it or delete it, then run som-agent calibrate again"


@dataclass(frozen=True)
class Cell:
    """What a model read of the pictures of one kind.

    Attributes:
        draw: the parts of the marks that were drawn.
        long_px: long side of the pictures.
        density: marks in one picture.
        pictures: how many there were.
        marks: marks drawn, all pictures together.
        right: those whose colour and shape were both named rightly.
        right_color: those whose colour was.
        right_shape: those whose shape was.
        invented: numbers that the model named and that were not in its picture.
        guessing: share that would be right if all things were seen and no number read.
    """

    draw: tuple[str, ...]
    long_px: int
    density: int
    pictures: int
    marks: int
    right: int
    right_color: int
    right_shape: int
    invented: int
    guessing: float

    @property
    def read(self) -> float:
        """Share of the marks that were read, 0 to 1."""
        return self.right / self.marks if self.marks else 0.0


@dataclass(frozen=True)
class Calibration:
    """How well a model reads marks, and how they are drawn for it because of that.

    Attributes:
        date: the day, ISO 8601.
        som_agent: version that measured.
        seed: of the scenes.
        marks_read: share of the marks that the model read, drawn as chosen and no more than chosen.
        guessing: the same by guessing.
        view: how it is shown pictures from now on; None keeps the family's.
        draw: the parts of a mark; None keeps the defaults.
        measured: all that was counted.
    """

    date: str
    som_agent: str
    seed: int
    marks_read: float
    guessing: float
    view: View | None
    draw: tuple[str, ...] | None
    measured: tuple[Cell, ...]

    @property
    def reads(self) -> bool:
        """Whether the model reads marks: luck does not explain what it read."""
        return self.view is not None


@dataclass(frozen=True)
class StoredProfile:
    """The file of one model.

    Attributes:
        model: its name, as it is called.
        price: None where the user did not give it.
        calibration: None where it was not measured.
    """

    model: str
    price: Price | None = None
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        if self.price is not None:
            for usd in (self.price.usd_in, self.price.usd_out):
                if not 0 <= usd < float("inf"):
                    raise InputError(
                        f"a price of {usd} makes no sense: it is dollars for a million tokens, 0 or more"
                    )
        if self.calibration is not None and self.calibration.draw is not None:
            parse_draw(",".join(self.calibration.draw))

    def over(self, profile: Profile) -> Profile:
        """The profile of the model's family with what is stored in its place."""
        profile = replace(profile, price=self.price or profile.price)
        known = self.calibration
        if known is None:
            return profile
        return replace(
            profile,
            name=self.model,
            view=known.view or profile.view,
            draw=known.draw or profile.draw,
            marks_read=known.marks_read,
        )


def home() -> Path:
    """The user's configuration folder of som-agent; SOM_AGENT_HOME names another one."""
    named = os.environ.get("SOM_AGENT_HOME")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_config_path

    return user_config_path("som-agent", appauthor=False)


def profile_path(name: str) -> Path:
    """The file of a model, whether it is there or not."""
    # Names have colons and slashes, and differ in case alone: the hash keeps their files apart everywhere.
    readable = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("_.")[-60:]
    return home() / "profiles" / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.json"


def read_stored(name: str) -> StoredProfile | None:
    """What is stored of a model; None for nothing.

    Args:
        name: exactly as it was called when it was stored.

    Raises:
        InputError: the file is damaged.
    """
    path = profile_path(name)
    found = _read(path)
    if found is not None and found.model != name:
        raise InputError(f"{path} is of model {found.model!r}, not of {name!r}: {_MEND}")
    return found


def stored_profiles() -> list[StoredProfile]:
    """All that are stored, by name.

    Raises:
        InputError: one of the files is damaged.
    """
    found = (_read(path) for path in (home() / "profiles").glob("*.json"))
    return sorted((one for one in found if one is not None), key=lambda one: one.model)


def write_stored(stored: StoredProfile) -> Path:
    """Store what is known of a model, over what was stored before.

    Returns:
        The file.

    Raises:
        OutputError: it cannot be written.
    """
    from pydantic import TypeAdapter

    from som_agent.video.output import moved_into_place, part_file

    path = prepared(stored.model)
    part = part_file(path)
    try:
        part.write_bytes(TypeAdapter(StoredProfile).dump_json(stored, indent=1) + b"\n")
        moved_into_place(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def prepared(name: str) -> Path:
    """The file of a model, its folder made.

    Raises:
        OutputError: the folder cannot be made.
    """
    path = profile_path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def _read(path: Path) -> StoredProfile | None:
    from pydantic import TypeAdapter, ValidationError

    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        return TypeAdapter(StoredProfile).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path} is no profile of a model: {where + ': ' if where else ''}{first['msg']}; {_MEND}"
        ) from error
    except SomError as error:  # a view or a part of a mark that there is not
        raise InputError(f"{path} is no profile of a model: {error}; {_MEND}") from error
