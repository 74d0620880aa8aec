"""Traffic, parked vehicles and people of a scene."""

from __future__ import annotations

import numpy as np

from vfm_fusion.miniature.scenes import look as palette
from vfm_fusion.miniature.scenes.people import Clothes, Crowd, Cycle, Person
from vfm_fusion.miniature.scenes.solid import Footprint, Pose, Thing
from vfm_fusion.miniature.scenes.street import Street
from vfm_fusion.miniature.scenes.vehicles import CAR_SHAPES, SIZES, Vehicle

_FARTHEST = 75.0
_AWAY, _TOWARDS, _RIGHT, _LEFT = 0.0, np.pi, np.pi / 2, -np.pi / 2
_TRAFFIC = ("car", "truck", "bus", "motorcycle")
_TRAFFIC_SHARES = (0.74, 0.1, 0.07, 0.09)


class _Ground:
    """Things that do not stand in one another."""

    def __init__(self) -> None:
        self.things: list[Thing] = []
        self._places: list[Footprint] = []

    def add(self, thing: Thing) -> bool:
        """Adds a thing unless its place is taken or it would be around the camera."""
        place = thing.footprint
        if place.z0 < 3.5 or not is_free(place, self._places, 0.15):
            return False
        self.things.append(thing)
        self._places.append(place)
        return True


def is_free(place: Footprint, taken: list[Footprint], margin: float) -> bool:
    """Whether no other footprint comes closer than ``margin`` metres."""
    return not any(
        place.x0 < other.x1 + margin
        and other.x0 < place.x1 + margin
        and place.z0 < other.z1 + margin
        and other.z0 < place.z1 + margin
        for other in taken
    )


def populate(rng: np.random.Generator, street: Street, featured: str) -> list[Thing]:
    """Draws who is on the street.

    Args:
        rng: the scene's stream.
        street: where they are.
        featured: the class that is placed first, in good view.
    """
    ground = _Ground()
    _add_featured(rng, ground, street, featured)
    _add_traffic(rng, ground, street)
    _add_parked(rng, ground, street)
    _add_cyclists(rng, ground, street)
    _add_pedestrians(rng, ground, street)
    return ground.things


def _vehicle(rng: np.random.Generator, label: str, pose: Pose) -> Vehicle:
    colors = {"car": palette.CARS, "truck": palette.TRUCKS, "bus": palette.BUSES, "train": palette.TRAMS}[
        label
    ]
    second = palette.pick(rng, palette.TRUCKS)
    shape = str(rng.choice(list(CAR_SHAPES)))
    return Vehicle(label, pose, palette.pick(rng, colors), second, shape)


def _clothes(rng: np.random.Generator) -> Clothes:
    return Clothes(
        skin=palette.pick(rng, palette.SKIN, 0.02),
        hair=palette.pick(rng, palette.HAIR, 0.02),
        top=palette.pick(rng, palette.CLOTH),
        trousers=palette.pick(rng, palette.TROUSERS),
    )


def _cycle(rng: np.random.Generator, label: str, pose: Pose, *, ridden: bool) -> Cycle:
    color = palette.pick(rng, palette.CLOTH)
    rider = _clothes(rng)
    helmet = palette.pick(rng, palette.CARS)
    return Cycle(label, pose, color, rider if ridden else None, helmet)


def _road_user(rng: np.random.Generator, label: str, x: float, near: float, yaw: float) -> Thing:
    """A vehicle or cycle on a lane whose nearer end is at z = ``near``."""
    if label in SIZES:
        return _vehicle(rng, label, Pose(x, near + SIZES[label][0] / 2, yaw))
    return _cycle(rng, label, Pose(x, near + 0.9, yaw), ridden=True)


def _lanes(street: Street) -> list[tuple[float, float]]:
    """(x, heading) of the lanes; traffic keeps to the right."""
    edge = street.half - street.parking
    bounds = np.array([-edge, *street.lines, edge])
    middles = (bounds[1:] + bounds[:-1]) / 2
    return [(street.center + float(u), _AWAY if u > 0 else _TOWARDS) for u in middles]


def _add_featured(rng: np.random.Generator, ground: _Ground, street: Street, label: str) -> None:
    if label == "train":
        x, yaw = street.center + (street.rails or 0.0), _TOWARDS
        near = rng.uniform(8, 15)
    elif label in SIZES:
        x, yaw = _lanes(street)[rng.integers(len(street.lines) + 1)]
        near = rng.uniform(8, 15)
    else:
        crossing = rng.random() < 0.5
        x = street.center + float(rng.uniform(0.1, 0.8)) * (street.half - street.parking)
        yaw = float(rng.choice([_RIGHT, _LEFT])) + float(rng.normal(0, 0.3)) if crossing else _AWAY
        near = rng.uniform(6, 10)
    ground.add(_road_user(rng, label, x, float(near), yaw))


def _add_traffic(rng: np.random.Generator, ground: _Ground, street: Street) -> None:
    for x, yaw in _lanes(street):
        z = float(rng.uniform(7, 22))
        while z < _FARTHEST:
            label = str(rng.choice(_TRAFFIC, p=_TRAFFIC_SHARES))
            ground.add(_road_user(rng, label, x + float(rng.normal(0, 0.15)), z, yaw))
            z += SIZES.get(label, (2.0,))[0] + float(rng.uniform(4, 26))
    if street.side_street is not None and rng.random() < 0.6:
        z = sum(street.side_street) / 2
        label = str(rng.choice(("car", "truck", "bus"), p=(0.7, 0.15, 0.15)))
        x = street.center + float(rng.uniform(-8, 8))
        ground.add(_vehicle(rng, label, Pose(x, z + 1.2, float(rng.choice([_LEFT, _RIGHT])))))


def _in_side_street(street: Street, z0: float, z1: float) -> bool:
    return (
        street.side_street is not None and z1 > street.side_street[0] - 1 and z0 < street.side_street[1] + 1
    )


def _on_crossing(street: Street, z0: float, z1: float) -> bool:
    return street.crossing is not None and z1 > street.crossing - 1 and z0 < street.crossing + 4


def _add_parked(rng: np.random.Generator, ground: _Ground, street: Street) -> None:
    if street.parking == 0:
        return
    for sign, yaw in ((-1.0, _TOWARDS), (1.0, _AWAY)):
        x = street.center + sign * (street.half - street.parking / 2)
        z = float(rng.uniform(3, 9))
        while z < _FARTHEST:
            free = not _in_side_street(street, z, z + 5) and not _on_crossing(street, z, z + 5)
            if free and rng.random() < 0.62:
                tilt = float(rng.normal(0, 0.03))
                ground.add(_vehicle(rng, "car", Pose(x, z + 2.3, yaw + tilt)))
            z += float(rng.uniform(5.0, 7.5))


def _add_cyclists(rng: np.random.Generator, ground: _Ground, street: Street) -> None:
    edge = street.half - street.parking - 0.7
    for _ in range(rng.poisson(1.0)):
        sign = float(rng.choice([-1, 1]))
        pose = Pose(street.center + sign * edge, float(rng.uniform(7, 28)), _AWAY if sign > 0 else _TOWARDS)
        ground.add(_cycle(rng, "bicycle", pose, ridden=True))
    if street.crossing is not None and rng.random() < 0.35:
        x = street.center + float(rng.uniform(-1, 1)) * street.half
        pose = Pose(x, street.crossing + 2.4, float(rng.choice([_LEFT, _RIGHT])))
        ground.add(_cycle(rng, "bicycle", pose, ridden=True))
    for _ in range(rng.poisson(1.3)):
        sign = float(rng.choice([-1, 1]))
        x = street.center + sign * (street.half + street.side(sign).verge + 0.7)
        turn = float(rng.choice([_LEFT, _RIGHT]) + rng.normal(0, 0.35))
        label = "motorcycle" if rng.random() < 0.45 else "bicycle"
        ground.add(_cycle(rng, label, Pose(x, float(rng.uniform(6, 20)), turn), ridden=False))


def _person(rng: np.random.Generator, x: float, z: float, yaw: float) -> Person:
    return Person(
        pose=Pose(x, z, yaw),
        height=float(np.clip(rng.normal(1.72, 0.1), 1.1, 2.0)),
        stride=float(rng.uniform(-1, 1)),
        clothes=_clothes(rng),
        coat=bool(rng.random() < 0.35),
    )


def _walk_x(rng: np.random.Generator, street: Street, sign: float) -> float:
    side = street.side(sign)
    return street.center + sign * (street.half + side.verge + float(rng.uniform(0.4, side.walk - 0.3)))


def _add_pedestrians(rng: np.random.Generator, ground: _Ground, street: Street) -> None:
    for _ in range(4 + rng.poisson(6.0)):
        sign = float(rng.choice([-1, 1]))
        z = 5.5 + 34.0 * float(rng.random()) ** 1.7
        yaw = float(rng.choice([_AWAY, _TOWARDS]) + rng.normal(0, 0.4))
        person = _person(rng, _walk_x(rng, street, sign), z, yaw)
        if ground.add(person) and rng.random() < 0.3:
            beside = _person(rng, person.pose.x + float(rng.uniform(0.6, 0.8)), z, yaw)
            ground.add(beside)
    if street.crossing is not None:
        for _ in range(rng.poisson(1.8)):
            x = street.center + float(rng.uniform(-1, 1)) * street.half
            yaw = float(rng.choice([_LEFT, _RIGHT]))
            ground.add(_person(rng, x, street.crossing + float(rng.uniform(0.4, 2.8)), yaw))
    if rng.random() < 0.15:
        sign = float(rng.choice([-1, 1]))
        z = float(rng.uniform(34, 48))
        first = _person(rng, _walk_x(rng, street, sign), z, _TOWARDS)
        group = [_person(rng, first.pose.x + 0.45 * step, z - 0.1 * step, _TOWARDS) for step in range(5)]
        ground.add(Crowd(tuple(group)))
