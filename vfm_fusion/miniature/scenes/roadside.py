"""Buildings, greenery and street furniture of a scene."""

from __future__ import annotations

import numpy as np

from vfm_fusion.miniature.scenes import look as palette
from vfm_fusion.miniature.scenes.buildings import Barrier, Building, Facade
from vfm_fusion.miniature.scenes.furniture import Bin, Post
from vfm_fusion.miniature.scenes.populate import is_free
from vfm_fusion.miniature.scenes.solid import Footprint, Thing
from vfm_fusion.miniature.scenes.street import Street
from vfm_fusion.miniature.scenes.vegetation import Foliage, Hedge, Tree

_NEAREST, _FARTHEST = 1.0, 120.0


def roadside(rng: np.random.Generator, street: Street, taken: list[Footprint]) -> list[Thing]:
    """Draws what lines the street; small things keep clear of the footprints in ``taken``."""
    things: list[Thing] = []
    for sign in (-1.0, 1.0):
        things += _buildings(rng, street, sign)
        things += _barriers(rng, street, sign)
        small = _trees(rng, street, sign) + _posts(rng, street, sign)
        things += [thing for thing in small if is_free(thing.footprint, taken, 0.1)]
    return things


def _facade(rng: np.random.Generator) -> Facade:
    brick = bool(rng.random() < 0.4)
    return Facade(
        color=palette.pick(rng, palette.BRICKS if brick else palette.WALLS),
        frame=palette.pick(rng, palette.FRAMES, 0.02),
        bay=float(rng.uniform(1.9, 3.2)),
        floor=float(rng.uniform(2.9, 3.5)),
        window=(float(rng.uniform(0.4, 0.62)), float(rng.uniform(0.45, 0.6))),
        brick=brick,
        shop=bool(rng.random() < 0.4),
        seed=int(rng.integers(2**20)),
    )


def _buildings(rng: np.random.Generator, street: Street, sign: float) -> list[Thing]:
    edge = street.center + sign * (street.half + street.side(sign).width)
    houses: list[Building] = []
    z = _NEAREST + float(rng.uniform(0, 4))
    usual = float(rng.uniform(7, 15))
    while z < _FARTHEST:
        length = float(rng.uniform(8, 18))
        inner = edge + sign * float(rng.uniform(0, 1.2))
        if (
            street.side_street is not None
            and z < street.side_street[1]
            and z + length > street.side_street[0]
        ):
            length = street.side_street[0] - z
            following = street.side_street[1] + 1.0
        else:
            following = z + length + (float(rng.uniform(2, 9)) if rng.random() < 0.3 else 0.0)
        if length > 3:
            x0, x1 = sorted((inner, inner + sign * float(rng.uniform(9, 12))))
            houses.append(
                Building(
                    place=Footprint(x0, x1, z, z + length),
                    height=float(np.clip(rng.normal(usual, 2.5), 4.5, 22)),
                    gable=float(rng.uniform(2, 4)) if rng.random() < 0.4 else 0.0,
                    facade=_facade(rng),
                    roof=palette.pick(rng, palette.ROOFS),
                    shelter=_shelter(houses, z),
                )
            )
        z = following
    return list(houses)


def _shelter(houses: list[Building], z: float) -> tuple[float, float] | None:
    """The last house, if it ends at ``z``."""
    if not houses or houses[-1].place.z1 < z:
        return None
    place = houses[-1].place
    return min(place.x0, place.x1, key=abs), houses[-1].height


def _barriers(rng: np.random.Generator, street: Street, sign: float) -> list[Thing]:
    side = street.side(sign)
    x = street.center + sign * (street.half + side.verge + side.walk + 0.25)
    things: list[Thing] = []
    z = float(rng.uniform(3, 10))
    while z < 70:
        length = float(rng.uniform(7, 20))
        kind = str(rng.choice(("fence", "wall", "hedge", "none"), p=(0.36, 0.3, 0.18, 0.16)))
        blocked = street.side_street is not None and (
            z < street.side_street[1] + 1 and z + length > street.side_street[0] - 1
        )
        if side.garden > 0 and kind != "none" and not blocked:
            things.append(_barrier(rng, kind, x, z, z + length))
        z += length + float(rng.uniform(1, 4))
    return things


def _barrier(rng: np.random.Generator, kind: str, x: float, z0: float, z1: float) -> Thing:
    if kind == "hedge":
        return _hedge(rng, x, z0, z1)
    colors = palette.BARS if kind == "fence" else palette.BRICKS + palette.WALLS
    return Barrier(x, z0, z1, float(rng.uniform(0.9, 1.9)), palette.pick(rng, colors, 0.03), kind)


def _hedge(rng: np.random.Generator, x: float, z0: float, z1: float) -> Hedge:
    height = float(rng.uniform(0.6, 1.5))
    color = palette.pick(rng, palette.LEAVES)
    bushes = [
        Foliage(
            center=(x, height / 2, float(z)),
            radii=(0.45, height / 2, 0.8),
            clump=0.16,
            count=int(np.clip(600 / z, 14, 60)),
            color=color,
            seed=int(rng.integers(2**31)),
        )
        for z in np.arange(z1 - 0.5, z0, -1.1)
    ]
    return Hedge(Footprint(x - 0.3, x + 0.3, z0, z1), tuple(bushes))


def _trees(rng: np.random.Generator, street: Street, sign: float) -> list[Thing]:
    side = street.side(sign)
    along = side.verge / 2 if side.verge else side.walk - 0.5
    if side.garden and rng.random() < 0.5:
        along = side.verge + side.walk + side.garden * 0.6
    things: list[Thing] = []
    z = float(rng.uniform(7, 16)) if rng.random() < 0.75 else _FARTHEST
    while z < 90:
        x = street.center + sign * (street.half + along)
        things.append(_tree(rng, x, z))
        z += float(rng.uniform(7, 16))
    return things


def _tree(rng: np.random.Generator, x: float, z: float) -> Tree:
    trunk = float(rng.uniform(1.9, 2.8))
    wide, high = float(rng.uniform(1.2, 2.3)), float(rng.uniform(1.4, 2.6))
    crown = Foliage(
        center=(x, trunk + 0.8 * high, z),
        radii=(wide, high, wide),
        clump=0.15 * wide,
        count=int(np.clip(7000 / z, 110, 600)),
        color=palette.pick(rng, palette.LEAVES),
        seed=int(rng.integers(2**31)),
    )
    return Tree(x, z, trunk, crown)


def _posts(rng: np.random.Generator, street: Street, sign: float) -> list[Thing]:
    kerb = street.center + sign * (street.half + 0.45)
    things: list[Thing] = []
    for z in np.arange(rng.uniform(8, 22), 90, rng.uniform(18, 30)):
        things.append(Post(kerb, float(z), "lamp", float(rng.uniform(5, 7)), 0))
    for _ in range(rng.poisson(1.6)):
        height = float(rng.uniform(2.3, 3.0))
        z = 6.5 + 30 * float(rng.random()) ** 1.3
        things.append(Post(kerb + sign * 0.2, z, "sign", height, int(rng.integers(7))))
    junction = street.crossing or (street.side_street[0] - 1 if street.side_street else None)
    if junction is not None and rng.random() < 0.8:
        things.append(
            Post(kerb, junction - 0.6, "traffic light", float(rng.uniform(2.9, 3.6)), int(rng.integers(3)))
        )
    if rng.random() < 0.3:
        x = street.center + sign * (street.half + street.side(sign).verge + 0.6)
        things.append(Bin(x, float(rng.uniform(7, 20)), palette.pick(rng, palette.BARS)))
    return things
