"""Textures from noise: wood, cloth, plaster, tiles, paint. All `[n, n, 3] uint8` RGB, repeatable by seed."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from som_agent.video.frame import Image

__all__ = ["cloth", "contact_shadows", "noise", "paint", "plaster", "stripes", "tiles", "wood"]

Rgb = tuple[int, int, int]
Map = npt.NDArray[np.float32]


def noise(rng: np.random.Generator, n: int, cells: tuple[int, int], octaves: int = 3) -> Map:
    """Smooth noise of mean about 0 and deviation about 1, `[n, n]`; `cells` = coarsest blobs across, down."""
    total = np.zeros((n, n), np.float32)
    for octave in range(octaves):
        across, down = (min(c << octave, n) for c in cells)
        grid = rng.standard_normal((down + 1, across + 1)).astype(np.float32)
        total += cv2.resize(grid, (n, n), interpolation=cv2.INTER_CUBIC) / 2**octave
    return np.asarray(total / total.std(), dtype=np.float32)


def _tint(rgb: Rgb, shade: Map) -> Image:
    """The colour times a shade around 1, `[n, n]`."""
    picture = shade[..., None] * np.asarray(rgb, np.float32)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def wood(rng: np.random.Generator, rgb: Rgb, n: int = 1024, planks: int = 5) -> Image:
    """Planks side by side with grain along x."""
    shade = np.ones((n, n), np.float32)
    edges = np.linspace(0, n, planks + 1).astype(int)
    y = np.linspace(0, 1, n, dtype=np.float32)[:, None]
    for top, bottom in pairwise(edges):
        warp = noise(rng, n, (2, 3), 2)
        rings = np.sin(2 * np.pi * (9 * planks * (y + 0.018 * warp) + rng.uniform()))
        fibres = noise(rng, n, (8, 256), 2)
        plank = 1 + 0.045 * rings + 0.04 * fibres + rng.uniform(-0.07, 0.07)
        shade[top:bottom] = plank[top:bottom]
        shade[top : top + max(1, n // 400)] *= 0.72
    return _tint(rgb, shade)


def cloth(rng: np.random.Generator, rgb: Rgb, n: int = 1024, threads: int = 150) -> Image:
    """Plain weave with uneven threads and a hem along the border."""
    t = np.arange(n, dtype=np.float32) * (2 * np.pi * threads / n)
    weave = np.sin(t)[None] * np.sin(t)[:, None]
    uneven = noise(rng, n, (4, threads // 2), 1) + noise(rng, n, (threads // 2, 4), 1)
    shade = 1 + 0.05 * weave + 0.03 * uneven + 0.025 * noise(rng, n, (5, 5))
    border = np.minimum.outer(*(np.minimum(np.arange(n), np.arange(n)[::-1]) / n,) * 2)
    shade[(border > 0.03) & (border < 0.04)] *= 1.25
    return _tint(rgb, shade.astype(np.float32))


def plaster(rng: np.random.Generator, rgb: Rgb, n: int = 512) -> Image:
    """A painted wall: broad soft stains and a fine roughness."""
    return _tint(rgb, 1 + 0.012 * noise(rng, n, (6, 3), 4) + 0.012 * noise(rng, n, (256, 128), 1))


def paint(rng: np.random.Generator, n: int = 256) -> Image:
    """A nearly white shade to multiply with an object's own colour."""
    return _tint((240, 240, 240), 1 + 0.02 * noise(rng, n, (6, 6)) + 0.012 * noise(rng, n, (64, 64), 1))


def stripes(rng: np.random.Generator, count: int, n: int = 256) -> Image:
    """A shade with `count` darker bands across, to multiply with an object's own colour."""
    shade = 1 + 0.02 * noise(rng, n, (6, 6))
    shade[(np.arange(n) * count // n) % 2 == 1] *= 0.78
    return _tint((245, 245, 245), shade)


def tiles(rng: np.random.Generator, rgb: Rgb, count: int, n: int = 1024) -> Image:
    """A floor of `count` × `count` tiles, each of its own shade, with grout between them."""
    tone = rng.uniform(0.9, 1.08, (count, count)).astype(np.float32)
    where = np.arange(n) * count // n
    shade = tone[where][:, where] + 0.02 * noise(rng, n, (16, 16), 4)
    grout = (np.arange(n) * count % n) < max(count, n * count // (n // 3))
    shade[grout] *= 0.75
    shade[:, grout] *= 0.75
    return _tint(rgb, shade)


def contact_shadows(texture: Image, feet: list[tuple[float, float, float]]) -> Image:
    """Darken a floor under things: `feet` are x, y and radius as shares of the texture, y upwards."""
    n = len(texture)
    darkened = texture.copy()
    for fx, fy, radius in feet:
        left, right = (int(np.clip((fx + k * radius) * n, 0, n)) for k in (-2.5, 2.5))
        top, bottom = (int(np.clip((1 - fy + k * radius) * n, 0, n)) for k in (-2.5, 2.5))
        x, y = (np.arange(left, right) + 0.5) / n, 1 - (np.arange(top, bottom) + 0.5) / n
        distance = np.hypot(x[None] - fx, y[:, None] - fy) / radius
        shade = 1 - 0.25 * (1 - np.tanh(3.5 * (distance - 1.05)))
        patch = darkened[top:bottom, left:right]
        patch[:] = np.rint(patch * shade[..., None])
    return darkened
