"""Light: a sun, a sky, a checkered floor, and the curve from light to pixels. All colours are
linear RGB, float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _rgb(*values: float) -> Array:
    return np.asarray(values, np.float32)


SUN = _rgb(-0.512, -0.384, 0.768)
SUN_LIGHT = _rgb(1.75, 1.60, 1.38)
SKY_LIGHT = _rgb(0.36, 0.43, 0.54)
GROUND_LIGHT = _rgb(0.20, 0.19, 0.18)
HORIZON = _rgb(0.66, 0.75, 0.85)
ZENITH = _rgb(0.10, 0.22, 0.46)
TILES = (_rgb(0.150, 0.185, 0.235), _rgb(0.072, 0.095, 0.130))
GLOSS = 0.22
SHININESS = 36


def sky(directions: Array) -> Array:
    """Return the colour [n, 3] of the sky in unit `directions` [n, 3]: bright at the horizon, blue
    above.
    """
    up = np.clip(directions[:, 2:3], 0, 1).astype(np.float32) ** 0.7
    light: Array = HORIZON + (ZENITH - HORIZON) * up
    return light


def surface(albedo: Array, normal: Array, view: Array, sunlit: Array) -> Array:
    """Return the light [n, 3] leaving a surface: Lambert's sun, soft sky from above, a highlight, a
    bright rim.

    `albedo`, unit `normal` and unit `view` (towards the camera) are [n, 3]; `sunlit` [n] is 0 in
    full shadow.
    """
    facing = np.clip(dot(normal, SUN), 0, 1) * sunlit
    up = (0.5 + 0.5 * normal[:, 2])[:, None]
    ambient = GROUND_LIGHT + (SKY_LIGHT - GROUND_LIGHT) * up

    half = view + SUN
    length = np.sqrt(_rows_dot(half, half))
    gleam = GLOSS * np.clip(_rows_dot(normal, half) / length, 0, 1) ** SHININESS * (facing > 0)
    rim = 0.10 * (1 - np.clip(_rows_dot(normal, view), 0, 1)) ** 4
    light: Array = albedo * (ambient + facing[:, None] * SUN_LIGHT)
    return light + gleam[:, None] * SUN_LIGHT + (rim[:, None] * up) * SKY_LIGHT


def checker(u: Array, v: Array, blur_u: Array, blur_v: Array) -> Array:
    """Return the share of the first tile colour at `u`, `v` (one tile a unit), averaged over a box
    of the blurs' size.

    The box average is exact, so that far tiles fade instead of flickering.
    """
    return 0.5 + 0.5 * _square_wave(u, blur_u) * _square_wave(v, blur_v)


def floor(fog: Array) -> tuple[Array, Array]:
    """Return the light [n, 3] of a sunlit dark tile, and what a bright one adds; `fog` [n] fades
    into the horizon.
    """
    clear = (1 - fog)[:, None]
    light = SKY_LIGHT + SUN_LIGHT * SUN[2]
    return clear * TILES[1] * light + fog[:, None] * HORIZON, clear * (TILES[0] - TILES[1]) * light


def ground(tile: Array, sunlit: Array, open_sky: Array, fog: Array) -> Array:
    """Return the light [n, 3] of tiled ground; all arguments are [n].

    `sunlit` is how much of the sun a point receives (1: facing it), `open_sky` how much of the sky
    it sees.
    """
    albedo = TILES[1] + (TILES[0] - TILES[1]) * tile[:, None]
    light = albedo * (SKY_LIGHT * open_sky[:, None] + SUN_LIGHT * sunlit[:, None])
    mixed: Array = light + (HORIZON - light) * fog[:, None]
    return mixed


def dot(vectors: Array, direction: Array) -> Array:
    """Return the products [n] of `vectors` [n, 3] with one direction [3].

    Written out, because a matrix product would start the threads of a linear algebra library for
    three columns.
    """
    product: Array = vectors[:, 0] * direction[0] + vectors[:, 1] * direction[1] + vectors[:, 2] * direction[2]
    return product


def to_pixels(light: Array) -> Array:
    """Return uint8 sRGB-like pixels: a soft shoulder keeps highlights from burning out,
    then gamma.
    """
    x = light * 1.05
    np.clip(x, 0, 8, out=x)
    x *= (1 + x * 0.16) / (1 + x * 0.55)
    index = np.minimum(x * 1023.0, 1023).astype(np.int16)
    return _GAMMA[index]


_GAMMA: Array = np.round(255 * (np.arange(1024) / 1023) ** (1 / 2.2)).astype(np.uint8)


def _rows_dot(a: Array, b: Array) -> Array:
    product: Array = a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]
    return product


def _square_wave(x: Array, blur: Array) -> Array:
    """Return the mean over [x - blur/2, x + blur/2] of a wave that is +1 and -1 on alternating unit
    intervals.
    """
    width = np.maximum(blur, 1e-3)
    return (_triangle(x + width / 2) - _triangle(x - width / 2)) / width


def _triangle(x: Array) -> Array:
    """Return the integral of the square wave: 0 at even, 1 at odd integers."""
    half = x * np.float32(0.5)
    half -= np.floor(half)
    wave: Array = 1 - np.abs(2 * half - 1)
    return wave
