"""What agents may reach: a model may write anything where a video is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from som_tools.roots import allowed_source, resolved_roots

__all__ = ["Access"]


@dataclass(frozen=True)
class Access:
    """Where videos may be opened and where files are written.

    Attributes:
        roots: folders in which files may be opened, absolute and free of links.
        out: the folder under which all files are written; made at the first one.
    """

    roots: tuple[Path, ...]
    out: Path | None = None

    @classmethod
    def to(cls, roots: str | Path | Sequence[str | Path] = (), *, out: str | Path | None = None) -> Access:
        """Access to some folders; the current one if none is named.

        Raises:
            InputError: one of them is no folder.
        """
        named = (roots,) if isinstance(roots, str | Path) else tuple(roots)
        return cls(resolved_roots(named or (Path.cwd(),)), None if out is None else Path(out).resolve())

    def source(self, name: str) -> Path:
        """The file or folder of pictures that a model named.

        Raises:
            InputError: it may not be opened.
        """
        return allowed_source(name, self.roots)

    def folder(self, name: str) -> Path:
        """A new folder for the files of one result."""
        if self.out is not None:
            self.out.mkdir(parents=True, exist_ok=True)
        return Path(mkdtemp(prefix=f"{name}-", dir=self.out))
