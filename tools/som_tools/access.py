"""What agents may reach: a model may write anything where a video is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from som_agent.errors import InputError
from som_tools.addresses import Address, is_like_address
from som_tools.roots import allowed_source, resolved_roots, shown

__all__ = ["Access"]


@dataclass(frozen=True)
class Access:
    """Where videos may be opened and where files are written.

    Attributes:
        roots: folders in which files may be opened, absolute and free of links.
        out: the folder under which all files are written; made at the first one.
        cameras: numbers of the cameras that may be opened; none by default.
        addresses: network addresses that may be opened; none by default. One whose path ends in "/" allows
            all that lies below it, any other one itself alone.
    """

    roots: tuple[Path, ...]
    out: Path | None = None
    cameras: frozenset[int] = frozenset()
    addresses: tuple[Address, ...] = ()

    @classmethod
    def to(
        cls,
        roots: str | Path | Sequence[str | Path] = (),
        *,
        out: str | Path | None = None,
        cameras: Iterable[int | str] = (),
        addresses: str | Iterable[str] = (),
    ) -> Access:
        """Access to some folders, cameras and addresses.

        Args:
            roots: folders; the current one if none is named.
            out: the folder for what is written.
            cameras: numbers or names such as "/dev/video0".
            addresses: an address may have a login, which the model neither sees nor needs:
                `rtsp://user:password@cam.local/`.

        Raises:
            InputError: a folder that is none, or a camera or an address that cannot be read.
        """
        named = (roots,) if isinstance(roots, str | Path) else tuple(roots)
        addresses = (addresses,) if isinstance(addresses, str) else tuple(addresses)
        return cls(
            resolved_roots(named or (Path.cwd(),)),
            None if out is None else Path(out).resolve(),
            frozenset(_number(camera) for camera in cameras),
            tuple(Address.parse(address) for address in addresses),
        )

    def source(self, name: str) -> Path:
        """The file or folder of pictures that a model named.

        Raises:
            InputError: it may not be opened.
        """
        return allowed_source(name, self.roots)

    def device(self, name: str) -> int | str | None:
        """The number of the camera or the address that a model named; None where it can only be a file.

        An address is put together anew from the parts that were compared, with the login that it was allowed
        with.

        Raises:
            InputError: it may not be opened.
        """
        if is_like_address(name):
            return self._address(name)
        number = _camera(name)
        if number is None or self._has_file(name):
            return None
        if number not in self.cameras:
            known = ", ".join(str(camera) for camera in sorted(self.cameras)) or "none"
            raise InputError(f"camera {number} may not be opened; allowed cameras: {known}")
        return number

    def _address(self, name: str) -> str:
        known = ", ".join(str(address.with_login_of(_NOBODY)) for address in self.addresses) or "none"
        refused = InputError(f"address {shown(name)} may not be opened; allowed addresses: {known}")
        try:
            address = Address.parse(name)
        except InputError as error:
            raise (error if self.addresses else refused) from None
        for allowed in self.addresses:
            if allowed.allows(address):
                return str(address.with_login_of(allowed))
        raise refused

    def _has_file(self, name: str) -> bool:
        """A file of a camera's name comes first."""
        return any((root / name).exists() for root in self.roots) and not name.startswith("/")


_NOBODY = Address("", "", 0)


def _camera(name: str) -> int | None:
    match = re.fullmatch(r"(?:/dev/video)?(\d{1,4})", name, re.ASCII)
    return int(match[1]) if match else None


def _number(camera: int | str) -> int:
    number = camera if isinstance(camera, int) else _camera(camera)
    if number is None or number < 0:
        raise InputError(f"{camera!r} is no camera: name its number, or /dev/video0 for example")
    return number
