"""People, and what they ride: skeletons of limbs and wires."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfm_fusion.datasets.cityscapes_labels import LABEL_IDS
from vfm_fusion.miniature.scenes.canvas import Canvas
from vfm_fusion.miniature.scenes.look import Color
from vfm_fusion.miniature.scenes.solid import Footprint, Pose, footprint

Point = tuple[float, float, float]

_DARK: Color = (0.1, 0.1, 0.12)
_STEEL: Color = (0.55, 0.56, 0.6)
_TURN = np.linspace(0, 2 * np.pi, 25)[:-1]


@dataclass(frozen=True)
class Clothes:
    """Colours of a person."""

    skin: Color
    hair: Color
    top: Color
    trousers: Color


@dataclass(frozen=True)
class _Limb:
    start: Point
    end: Point
    radii: tuple[float, float]
    color: Color


def _paint_limbs(canvas: Canvas, pose: Pose, limbs: list[_Limb], scale: float, sunlit: float) -> None:
    """Paints limbs from far to near."""
    ends = [pose.world(scale * np.array([limb.start, limb.end])) for limb in limbs]
    for number in sorted(range(len(limbs)), key=lambda n: -ends[n][0, 2] - ends[n][1, 2]):
        limb = limbs[number]
        radii = (scale * limb.radii[0], scale * limb.radii[1])
        canvas.capsule(*ends[number], radii, limb.color, sunlit)


@dataclass(frozen=True)
class Person:
    """Someone on foot.

    Attributes:
        pose: where they stand and head.
        height: in metres.
        stride: phase of the step, -1..1; 0 = standing.
        clothes: colours.
        coat: True for a coat or skirt over the thighs.
    """

    pose: Pose
    height: float
    stride: float
    clothes: Clothes
    coat: bool

    @property
    def footprint(self) -> Footprint:
        """The ground that they stand on."""
        return footprint(self.pose, 0.28, 0.28)

    def shadow(self) -> list[np.ndarray]:
        """A narrow column."""
        x, z = self.pose.x, self.pose.z
        return [np.array([(x + dx, y, z) for dx in (-0.2, 0.2) for y in (0.0, self.height)])]

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the person."""
        canvas.begin(LABEL_IDS["person"], countable=True)
        self.paint_body(canvas, sunlit)

    def paint_body(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the person into the current entity."""
        _paint_limbs(canvas, self.pose, self._limbs(), self.height, sunlit)

    def _limbs(self) -> list[_Limb]:
        c, swing = self.clothes, 0.13 * self.stride
        limbs = []
        for side, step in ((-1.0, swing), (1.0, -swing)):
            hip, knee, foot = (
                (side * 0.05, 0.5, 0.0),
                (side * 0.055, 0.27, 0.7 * step),
                (side * 0.055, 0.04, step),
            )
            limbs.append(_Limb(hip, knee, (0.052, 0.042), c.trousers))
            limbs.append(_Limb(knee, foot, (0.04, 0.028), c.trousers))
            limbs.append(_Limb(foot, (foot[0], 0.02, step + 0.07), (0.026, 0.022), _DARK))
            shoulder, elbow = (side * 0.12, 0.79, 0.0), (side * 0.145, 0.64, -0.5 * step)
            hand = (side * 0.14, 0.5, -step + 0.03)
            limbs.append(_Limb(shoulder, elbow, (0.036, 0.03), c.top))
            limbs.append(_Limb(elbow, hand, (0.029, 0.02), c.top))
            limbs.append(_Limb(hand, (hand[0], 0.47, hand[2] + 0.01), (0.02, 0.018), c.skin))
        for side in (-1.0, 1.0):
            limbs.append(_Limb((side * 0.035, 0.52, 0.0), (side * 0.065, 0.78, 0.0), (0.06, 0.06), c.top))
        limbs.append(_Limb((0.0, 0.53, -0.005), (0.0, 0.8, -0.005), (0.07, 0.075), c.top))
        if self.coat:
            limbs.append(_Limb((0.0, 0.36, 0.0), (0.0, 0.6, 0.0), (0.105, 0.085), c.top))
        limbs.append(_Limb((0.0, 0.82, 0.0), (0.0, 0.9, 0.005), (0.03, 0.03), c.skin))
        limbs.append(_Limb((0.0, 0.925, 0.012), (0.0, 0.94, 0.012), (0.05, 0.052), c.skin))
        limbs.append(_Limb((0.0, 0.945, -0.012), (0.0, 0.955, -0.008), (0.052, 0.05), c.hair))
        return limbs


@dataclass(frozen=True)
class Cycle:
    """A bicycle or a motorcycle, with or without its rider.

    Attributes:
        label: ``bicycle`` or ``motorcycle``.
        pose: where it stands and heads.
        color: of frame or tank.
        rider: colours of the rider; None when it is parked.
        helmet: colour of the rider's helmet.
    """

    label: str
    pose: Pose
    color: Color
    rider: Clothes | None
    helmet: Color

    @property
    def footprint(self) -> Footprint:
        """The ground that it stands on."""
        return footprint(self.pose, 0.3, 0.9)

    def shadow(self) -> list[np.ndarray]:
        """The cycle, and the rider's column."""
        high = 1.0 if self.rider is None else 1.65
        local = [(dx, 0.0, c) for dx in (-0.1, 0.1) for c in (-0.8, 0.8)] + [
            (0.0, high, -0.2),
            (0.0, high, 0.2),
        ]
        return [self.pose.world(local)]

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the cycle, then its rider as an object of its own."""
        canvas.begin(LABEL_IDS[self.label], countable=True)
        (_paint_bicycle if self.label == "bicycle" else _paint_motorcycle)(self, canvas, sunlit)
        if self.rider is not None:
            canvas.begin(LABEL_IDS["rider"], countable=True)
            posture = _BICYCLE_POSTURE if self.label == "bicycle" else _MOTORCYCLE_POSTURE
            _paint_limbs(canvas, self.pose, _riding(self.rider, self.helmet, posture), 1.0, sunlit)


def _wheel(forward: float, radius: float) -> list[Point]:
    return [(0.0, radius + radius * np.sin(a), forward + radius * np.cos(a)) for a in _TURN]


def _paint_bicycle(cycle: Cycle, canvas: Canvas, sunlit: float) -> None:
    place = cycle.pose.world
    for axle in (-0.52, 0.52):
        rim = place(_wheel(axle, 0.34))
        canvas.claim(rim)
        hub = place([(0.0, 0.34, axle)])[0]
        for spoke in rim[::3]:
            canvas.line(np.stack([hub, spoke]), 0.008, _STEEL, shade=sunlit)
        canvas.line(rim, 0.05, _DARK, closed=True, shade=sunlit)
    tubes = [
        [(0.0, 0.34, -0.52), (0.0, 0.3, 0.0), (0.0, 0.88, -0.2), (0.0, 0.34, -0.52)],
        [(0.0, 0.3, 0.0), (0.0, 0.8, 0.38), (0.0, 0.82, -0.18)],
        [(0.0, 0.34, 0.52), (0.0, 0.98, 0.33)],
    ]
    for tube in tubes:
        canvas.line(place(tube), 0.045, cycle.color, shade=sunlit)
    canvas.line(place([(-0.28, 1.0, 0.28), (0.0, 0.98, 0.36), (0.28, 1.0, 0.28)]), 0.035, _DARK, shade=sunlit)
    canvas.capsule(*place([(0.0, 0.94, -0.34), (0.0, 0.94, -0.12)]), (0.07, 0.04), _DARK, sunlit)


def _paint_motorcycle(cycle: Cycle, canvas: Canvas, sunlit: float) -> None:
    place = cycle.pose.world
    for axle in (-0.68, 0.68):
        rim = place(_wheel(axle, 0.31))
        canvas.claim(rim)
        for spoke in rim[::4]:
            canvas.line(np.stack([place([(0.0, 0.31, axle)])[0], spoke]), 0.03, _STEEL, shade=sunlit)
        canvas.line(rim, 0.13, _DARK, closed=True, shade=sunlit)
    parts = [
        _Limb((0.0, 0.42, -0.2), (0.0, 0.42, 0.25), (0.2, 0.19), _STEEL),
        _Limb((0.16, 0.32, -0.75), (0.14, 0.34, 0.1), (0.06, 0.04), _STEEL),
        _Limb((0.0, 0.62, -0.7), (0.0, 0.68, -0.1), (0.1, 0.13), cycle.color),
        _Limb((0.0, 0.82, -0.6), (0.0, 0.78, -0.05), (0.09, 0.1), _DARK),
        _Limb((0.0, 0.78, 0.0), (0.0, 0.84, 0.34), (0.16, 0.15), cycle.color),
        _Limb((0.0, 0.34, 0.7), (0.0, 0.92, 0.46), (0.07, 0.06), _STEEL),
        _Limb((0.0, 0.85, 0.52), (0.0, 0.95, 0.48), (0.14, 0.11), cycle.color),
        _Limb((0.0, 0.86, 0.6), (0.0, 0.86, 0.62), (0.09, 0.09), (0.97, 0.96, 0.88)),
        _Limb((0.0, 0.68, -0.8), (0.0, 0.68, -0.82), (0.07, 0.07), (0.75, 0.06, 0.07)),
    ]
    _paint_limbs(canvas, cycle.pose, parts, 1.0, sunlit)
    canvas.line(place([(-0.36, 1.05, 0.3), (0.0, 1.0, 0.42), (0.36, 1.05, 0.3)]), 0.05, _DARK, shade=sunlit)


@dataclass(frozen=True)
class _Posture:
    seat: tuple[float, float]
    shoulder: tuple[float, float]
    grip: tuple[float, float, float]
    feet: tuple[tuple[float, float], tuple[float, float]]


_BICYCLE_POSTURE = _Posture((0.98, -0.22), (1.45, 0.1), (0.24, 1.02, 0.3), ((0.18, 0.02), (0.45, 0.1)))
_MOTORCYCLE_POSTURE = _Posture((0.9, -0.3), (1.4, -0.1), (0.33, 1.05, 0.3), ((0.34, 0.0), (0.34, 0.0)))


def _riding(clothes: Clothes, helmet: Color, posture: _Posture) -> list[_Limb]:
    (seat_y, seat_z), (top_y, top_z) = posture.seat, posture.shoulder
    limbs = []
    for side, (foot_y, foot_z) in zip((-1.0, 1.0), posture.feet, strict=True):
        hip, foot = (side * 0.09, seat_y, seat_z), (side * 0.13, foot_y, foot_z)
        knee = (side * 0.15, (seat_y + foot_y) / 2 + 0.08, (seat_z + foot_z) / 2 + 0.3)
        limbs.append(_Limb(hip, knee, (0.095, 0.07), clothes.trousers))
        limbs.append(_Limb(knee, foot, (0.065, 0.05), clothes.trousers))
        limbs.append(_Limb(foot, (foot[0], foot_y - 0.03, foot_z + 0.12), (0.045, 0.04), _DARK))
        shoulder = (side * 0.19, top_y - 0.04, top_z)
        grip = (side * posture.grip[0], posture.grip[1], posture.grip[2])
        elbow = (side * 0.27, (shoulder[1] + grip[1]) / 2 - 0.04, (shoulder[2] + grip[2]) / 2)
        limbs.append(_Limb(shoulder, elbow, (0.06, 0.05), clothes.top))
        limbs.append(_Limb(elbow, grip, (0.048, 0.035), clothes.top))
        limbs.append(
            _Limb(
                (side * 0.06, seat_y, seat_z), (side * 0.11, top_y - 0.03, top_z), (0.11, 0.11), clothes.top
            )
        )
    limbs.append(
        _Limb(
            (0.0, top_y + 0.14, top_z + 0.07), (0.0, top_y + 0.19, top_z + 0.07), (0.09, 0.09), clothes.skin
        )
    )
    limbs.append(
        _Limb((0.0, top_y + 0.22, top_z + 0.03), (0.0, top_y + 0.24, top_z + 0.06), (0.115, 0.11), helmet)
    )
    return limbs


@dataclass(frozen=True)
class Crowd:
    """A distant group that is annotated as one region without individuals.

    Attributes:
        people: its members, far to near.
    """

    people: tuple[Person, ...]

    @property
    def footprint(self) -> Footprint:
        """The ground that all of them stand on."""
        places = [person.footprint for person in self.people]
        return Footprint(
            min(p.x0 for p in places),
            max(p.x1 for p in places),
            min(p.z0 for p in places),
            max(p.z1 for p in places),
        )

    def shadow(self) -> list[np.ndarray]:
        """That of each member."""
        return [points for person in self.people for points in person.shadow()]

    def paint(self, canvas: Canvas, sunlit: float) -> None:
        """Paints the members into one entity that is not countable."""
        canvas.begin(LABEL_IDS["person"])
        for person in self.people:
            person.paint_body(canvas, sunlit)
