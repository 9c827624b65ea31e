"""Surfaces: boxes, and everything round as a profile turned about the z axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Mesh", "ball", "box", "cone", "cup", "cylinder", "lathe", "vase"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """Triangles with what a renderer needs.

    Attributes:
        vertices: `[V, 3]` metres.
        normals: `[V, 3]` unit vectors.
        uvs: `[V, 2]` texture coordinates, 0 to 1.
        indices: `[T * 3] int`, counter-clockwise seen from outside.
    """

    vertices: Floats
    normals: Floats
    uvs: Floats
    indices: npt.NDArray[np.int64]

    @property
    def size(self) -> tuple[float, float, float]:
        """Extent along x, y and z in metres."""
        x, y, z = np.ptp(self.vertices, axis=0)
        return (float(x), float(y), float(z))


def box(width: float, depth: float, height: float, *, cells: int = 1) -> Mesh:
    """A box that stands on z = 0, each face cut into `cells` × `cells` and covered by the whole texture."""
    steps = np.linspace(0.0, 1.0, cells + 1)
    v, u = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    corner = np.arange(cells * (cells + 1)).reshape(cells, cells + 1)[:, :-1].ravel()
    quad = np.stack(
        [corner, corner + 1, corner + cells + 2, corner, corner + cells + 2, corner + cells + 1], 1
    )
    vertices, normals, indices = [], [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            # u runs to the right and v upwards as seen from outside, so that u × v points outwards.
            right = np.array([-normal[1], normal[0], 0.0]) if axis < 2 else np.array([sign, 0.0, 0.0])
            up = np.cross(normal, right)
            vertices.append(normal + np.outer(2 * u - 1, right) + np.outer(2 * v - 1, up))
            normals.append(np.tile(normal, (len(u), 1)))
            indices.append(quad.ravel() + len(u) * (len(vertices) - 1))
    points = np.concatenate(vertices) * np.array([width, depth, height]) / 2
    points[:, 2] += height / 2
    uvs = np.tile(np.stack([u, v], axis=1), (6, 1))
    return Mesh(points, np.concatenate(normals), uvs, np.concatenate(indices))


def lathe(profile: npt.ArrayLike, *, segments: int = 36, crease: float = 50.0) -> Mesh:
    """Turn a profile about the z axis.

    Args:
        profile: `[P, 2]` points (radius, z) in metres, running down the outside from the top.
        segments: pieces of the circle.
        crease: bends of the profile sharper than this, in degrees, stay sharp under light.
    """
    points = np.asarray(profile, dtype=np.float64)
    along = np.diff(points, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    outward = np.stack([-along[:, 1], along[:, 0]], axis=1)  # (radial, z) normal of each piece
    sharp = (outward[1:] * outward[:-1]).sum(axis=1) < np.cos(np.radians(crease))
    # Each piece has its own two ends; their normals are shared with the neighbour unless the bend is sharp.
    shared = np.where(sharp[:, None], 0.0, outward[1:] + outward[:-1])
    starts = np.concatenate([outward[:1], np.where(sharp[:, None], outward[1:], shared)])
    ends = np.concatenate([np.where(sharp[:, None], outward[:-1], shared), outward[-1:]])
    angle = np.linspace(0.0, 2 * np.pi, segments + 1)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    length /= length[-1]
    pairs = np.stack([points[:-1], points[1:]], axis=1).reshape(-1, 2)
    pair_normals = np.stack([starts, ends], axis=1).reshape(-1, 2)
    pair_normals /= np.linalg.norm(pair_normals, axis=1, keepdims=True)
    v = np.stack([length[:-1], length[1:]], axis=1).ravel()

    def spin(rows: Floats) -> Floats:
        flat = rows[:, None, :1] * circle[None]
        return np.concatenate([flat, np.broadcast_to(rows[:, None, 1:], (*flat.shape[:2], 1))], 2).reshape(
            -1, 3
        )

    row = segments + 1
    first = (2 * row * np.arange(len(along))[:, None] + np.arange(segments)).ravel()
    quad = np.stack([first, first + row, first + 1, first + 1, first + row, first + row + 1], axis=1)
    uvs = np.stack([np.tile(angle / (2 * np.pi), len(pairs)), np.repeat(1 - v, row)], axis=1)
    return Mesh(spin(pairs), spin(pair_normals), uvs, quad.ravel())


def _arc(center: tuple[float, float], radius: float, degrees: tuple[float, float], n: int) -> Floats:
    """Points of an arc in the (radius, z) plane, angles from the radial axis."""
    angle = np.radians(np.linspace(*degrees, n))
    return np.stack([center[0] + radius * np.cos(angle), center[1] + radius * np.sin(angle)], axis=1)


def ball(radius: float) -> Mesh:
    """A ball around the origin."""
    return lathe(_arc((0.0, 0.0), radius, (90, -90), 19), segments=32)


def cup(radius: float, top: float, height: float, *, wall: float = 0.004) -> Mesh:
    """A cup upside down on z = 0: `radius` at the rim below, `top` at the closed end above, open below."""
    edge, lip = 0.08 * height, 0.07 * height
    slope = (radius - top) / height
    outside = np.array([[0.0, height], [top * 0.5, height]])
    shoulder = _arc((top - edge * 0.6, height - edge), edge, (90, 12), 6)
    side = np.array([[radius - slope * lip * 1.35, lip * 1.35]])
    rim = _arc((radius - 0.001, lip / 2), lip / 2, (75, -90), 8)
    inside = np.array([[radius - wall, 0.0], [top - wall, height - wall], [0.0, height - wall]])
    return lathe(np.concatenate([outside, shoulder, side, rim, inside]))


def cylinder(radius: float, height: float) -> Mesh:
    """A cylinder with a small bevel that stands on z = 0."""
    b = 0.06 * min(radius, height)
    top = np.array([[0.0, height], [radius - b, height]])
    bottom = np.array([[radius - b, 0.0], [0.0, 0.0]])
    upper = _arc((radius - b, height - b), b, (75, 0), 4)
    lower = _arc((radius - b, b), b, (0, -75), 4)
    return lathe(np.concatenate([top, upper, lower, bottom]))


def cone(radius: float, height: float) -> Mesh:
    """A traffic cone with a foot that stands on z = 0."""
    foot = 0.07 * height
    profile = [
        (0.0, height), (0.12 * radius, height), (0.16 * radius, 0.985 * height), (0.68 * radius, foot * 1.1),
        (0.72 * radius, foot), (radius * 0.98, foot), (radius, foot * 0.9), (radius, 0.0), (0.0, 0.0),
    ]  # fmt: skip
    return lathe(profile)


def vase(radius: float, height: float) -> Mesh:
    """A vase with a belly and a flared mouth that stands on z = 0."""
    z = np.linspace(1.0, 0.0, 25)
    belly = 0.52 + 0.48 * np.sin(np.pi * np.clip((0.86 - z) / 0.86, 0.0, 1.0) ** 0.8) ** 1.5
    flare = 0.35 * np.clip((z - 0.8) / 0.2, 0, 1) ** 2
    outside = np.stack([radius * (np.where(z > 0.86, 0.52, belly) + flare), height * z], axis=1)
    mouth = outside[0, 0]
    inside = np.array([[0.0, 0.75 * height], [0.4 * radius, 0.8 * height], [mouth - 0.08 * radius, height]])
    return lathe(np.concatenate([inside, outside, [[0.0, 0.0]]]))
