"""A container yard in perspective: steel boxes on the ground, seen by a pinhole camera, in some light, behind things.

Metres, x to the right, y up, z away from the camera.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from containerid.training import surfaces
from containerid.training.surfaces import Image

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]

_WIDE, _HIGH = 2.44, 2.6
_SMALLEST = 0.05
"""Of the image's side: a door that shows less than this across is not labelled."""
_INSIDE = 0.5
"""Of a door: with less inside the picture, a photographer would step back."""
_VISIBLE = 0.25
"""Of a door's part inside the picture: one that is hidden further than this is not labelled."""


@dataclass(slots=True)
class Scene:
    """One picture while it is painted.

    Attributes:
        size: its side in pixels.
        canvas: BGR, float32.
        owner: which door each pixel belongs to; 0 is none.
        doors: pixels inside the picture that each door, from 1 on, had before anything hid it.
    """

    rng: Generator
    size: int
    canvas: Image = field(init=False)
    owner: NDArray[np.uint8] = field(init=False)
    doors: list[int] = field(default_factory=list)
    eye: float = field(init=False)
    focal: float = field(init=False)
    horizon: float = field(init=False)
    sun: Points = field(init=False)

    def __post_init__(self) -> None:
        rng, size = self.rng, self.size
        self.canvas = np.zeros((size, size, 3), np.float32)
        self.owner = np.zeros((size, size), np.uint8)
        self.eye = rng.uniform(1.4, 4.2)
        self.focal = size * rng.uniform(0.8, 1.25)
        self.horizon = size * rng.uniform(0.3, 0.52)
        sun = rng.normal(0, 1, 3) + np.array((0, 1.2, -0.8))
        self.sun = sun / np.linalg.norm(sun)

    def project(self, points: Points) -> Points:
        """Points in the yard, shape (n, 3), to pixels, shape (n, 2)."""
        depth = np.maximum(points[:, 2], 0.3)
        across = self.size / 2 + self.focal * points[:, 0] / depth
        down = self.horizon - self.focal * (points[:, 1] - self.eye) / depth
        return np.stack((across, down), axis=1)

    def boxes(self) -> list[Box]:
        """What shows of each door: centre x, centre y, width, height as fractions of the image."""
        found = []
        for number, area in enumerate(self.doors, 1):
            rows, columns = np.nonzero(self.owner == number)
            if not area or len(rows) < _VISIBLE * area:
                continue
            left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
            if min(right - left, bottom - top) >= _SMALLEST * self.size:
                sides = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
                found.append(tuple(float(side) / self.size for side in sides))
        return found  # type: ignore[return-value]

    def hide(self, corners: Points, colour: Image) -> None:
        """Paint a flat polygon in front of everything so far."""
        outline = np.round(corners).astype(np.int32)
        cv2.fillConvexPoly(self.canvas, outline, colour.tolist(), cv2.LINE_AA)
        cv2.fillConvexPoly(self.owner, outline, 0)

    def cover(self, corners: Points, surface: Image, *, door: bool = False) -> None:
        """Paint a surface between four corners in the yard: top left, top right, bottom right, bottom left."""
        quad = self.project(corners).astype(np.float32)
        height, width = surface.shape[:2]
        flat = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
        warp = cv2.getPerspectiveTransform(flat, quad)
        cv2.warpPerspective(surface, warp, (self.size, self.size), dst=self.canvas, borderMode=cv2.BORDER_TRANSPARENT)
        number = len(self.doors) + 1 if door else 0
        cv2.fillConvexPoly(self.owner, np.round(quad).astype(np.int32), number)
        if door:
            self.doors.append(int(np.count_nonzero(self.owner == number)))


@dataclass(frozen=True, slots=True)
class Container:
    """A container's place: the middle of its nearer end on the ground, and where that end looks."""

    at: Points
    yaw: float
    long: float
    has_door: bool
    colour: Image

    def corners(self) -> Points:
        """The near end, then the far end, shape (8, 3): each bottom left, bottom right, top right, top left."""
        across = np.array((np.cos(self.yaw), 0.0, np.sin(self.yaw))) * _WIDE / 2
        away = np.array((-np.sin(self.yaw), 0.0, np.cos(self.yaw))) * self.long
        up = np.array((0.0, _HIGH, 0.0))
        near = np.array((-across, across, across + up, up - across)) + self.at
        return np.concatenate((near, near + away))


_FACES = {"near": (3, 2, 1, 0), "left": (7, 3, 0, 4), "right": (2, 6, 5, 1), "top": (7, 6, 2, 3)}


def framed(scene: Scene, container: Container) -> bool:
    """Whether the picture holds most of the container's door, or there is none to hold."""
    corners = container.corners()[:4]
    if not container.has_door or corners[:, 2].min() < 1:
        return not container.has_door
    quad = scene.project(corners).astype(np.float32)
    frame = np.array(((0, 0), (0, 1), (1, 1), (1, 0)), np.float32) * scene.size
    return bool(cv2.intersectConvexConvex(quad, frame)[0] >= _INSIDE * cv2.contourArea(quad))


def place(scene: Scene, container: Container) -> None:
    """Paint the faces that look at the camera, each as bright as the sun stands to it."""
    corners = container.corners()
    if corners[:, 2].min() < 1:
        return
    eye = np.array((0.0, scene.eye, 0.0))
    for name, order in _FACES.items():
        face = corners[list(order)]
        normal = np.cross(face[1] - face[0], face[3] - face[0])
        normal /= np.linalg.norm(normal)
        if normal @ (eye - face[0]) > 0:
            light = 0.7 + 0.45 * max(0.0, float(normal @ scene.sun))
            door = name == "near" and container.has_door
            scene.cover(face, _surface(scene, container, name, face) * light, door=door)


def _surface(scene: Scene, container: Container, name: str, face: Points) -> Image:
    """The face's picture, about as many pixels as it will cover."""
    quad = scene.project(face)
    wide = max(np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[2] - quad[3]))
    high = max(np.linalg.norm(quad[3] - quad[0]), np.linalg.norm(quad[2] - quad[1]))
    width, height = (int(np.clip(length, 12, scene.size)) for length in (wide, high))
    painters = {"near": surfaces.door if container.has_door else surfaces.end, "top": surfaces.roof}
    return painters.get(name, surfaces.side)(scene.rng, width, height, container.colour)


def shade(scene: Scene, containers: list[Container]) -> None:
    """Darken the ground where the containers keep the sun away: each top's outline, thrown along the light."""
    mask = np.zeros(scene.owner.shape, np.uint8)
    for container in containers:
        corners = container.corners()
        thrown = corners[[2, 3, 7, 6]] - scene.sun * (corners[2, 1] / max(0.45, scene.sun[1]))
        ground = np.concatenate((thrown, corners[[0, 1, 5, 4]])) * (1, 0, 1)
        if ground[:, 2].min() > 0.8:
            cv2.fillConvexPoly(mask, cv2.convexHull(np.round(scene.project(ground)).astype(np.int32)), 1)
    scene.canvas[mask > 0] *= 0.6


def backdrop(scene: Scene) -> None:
    """Sky, ground, and buildings far away, some with roller shutters."""
    rng, size, horizon = scene.rng, scene.size, round(scene.horizon)
    skies = np.array(((225, 190, 150), (205, 205, 205), (145, 168, 205), (120, 90, 70)), np.float32)
    sky = skies[rng.integers(len(skies))]
    fade = np.linspace(0.75, 1.1, size, dtype=np.float32)[:, None, None]
    scene.canvas[:] = sky * fade
    grounds = np.array(((120, 125, 128), (85, 88, 92), (105, 130, 150), (90, 120, 105)), np.float32)
    ground = grounds[rng.integers(len(grounds))]
    low = size - horizon
    patches = 0.25 * surfaces.cloud(rng, size, low, 7) + 0.15 * surfaces.cloud(rng, size, low, 60) + 0.8
    scene.canvas[horizon:] = ground * patches[..., None]
    for _ in range(int(rng.integers(0, 4))):
        _building(scene)
    if rng.random() < 0.4:
        _line(scene)


def _building(scene: Scene) -> None:
    rng = scene.rng
    z, x, wide, high = rng.uniform(28, 60), rng.uniform(-25, 25), rng.uniform(6, 22), rng.uniform(3, 11)
    wall = np.array(((x, high, z), (x + wide, high, z), (x + wide, 0, z), (x, 0, z)))
    tone = np.full(3, rng.uniform(70, 190), np.float32) + rng.normal(0, 12, 3).astype(np.float32)
    scene.hide(scene.project(wall), tone)
    if rng.random() < 0.6:
        gate = np.array(((x + 1, 4, z), (x + 5, 4, z), (x + 5, 0, z), (x + 1, 0, z)))
        scene.cover(gate, surfaces.shutter(rng, 64, 64, surfaces.paint(rng)))


def _line(scene: Scene) -> None:
    """A painted line on the ground."""
    x, lean = scene.rng.uniform(-5, 5), scene.rng.uniform(-6, 6)
    ends = np.array(((x, 0, 2), (x + 0.2, 0, 2), (x + lean + 0.2, 0, 40), (x + lean, 0, 40)), np.float64)
    scene.hide(scene.project(ends), np.array((190, 205, 215), np.float32))


def obstruct(scene: Scene) -> None:
    """One thing between the camera and the yard: a pole, a crate, a person, or a fence."""
    rng = scene.rng
    z, x = rng.uniform(3.5, 9), rng.uniform(-3, 3)
    colour = np.clip(rng.uniform(30, 180) + rng.normal(0, 25, 3), 10, 240).astype(np.float32)
    kind = rng.integers(4)
    if kind == 0:
        _upright(scene, x, z, rng.uniform(0.12, 0.3), rng.uniform(3, 8), colour)
    elif kind == 1:
        _upright(scene, x, z, rng.uniform(0.6, 1.4), rng.uniform(0.5, 1.2), np.array((70, 110, 150), np.float32))
    elif kind == 2:
        _person(scene, x, z, colour)
    else:
        for post in np.arange(-4, 4, 0.5):
            _upright(scene, x + float(post), z, 0.05, 1.2, colour)
        _upright(scene, x - 4, z, 8, 1.15, colour, foot=1.05)


def _person(scene: Scene, x: float, z: float, colour: Image) -> None:
    torso = np.array(((-0.2, 1.45), (0.2, 1.45), (0.28, 0.75), (0.15, 0), (-0.15, 0), (-0.28, 0.75)))
    turn = np.linspace(0, 2 * np.pi, 12)
    head = np.stack((0.12 * np.cos(turn), 1.6 + 0.15 * np.sin(turn)), axis=1)
    for outline, tone in ((torso, colour), (head, np.array((90, 120, 170), np.float32))):
        scene.hide(scene.project(np.array((x, 0, z)) + np.insert(outline, 2, 0, axis=1)), tone)


def _upright(scene: Scene, x: float, z: float, wide: float, high: float, colour: Image, foot: float = 0) -> None:
    corners = np.array(((x, high, z), (x + wide, high, z), (x + wide, foot, z), (x, foot, z)))
    scene.hide(scene.project(corners), colour)


def weather(rng: Generator, picture: Image) -> NDArray[np.uint8]:
    """The finished picture: cast shadow, haze, colour of the light, exposure, blur, noise of the sensor."""
    size = len(picture)
    light = rng.uniform(0.9, 1.1, 3).astype(np.float32) * np.float32(rng.uniform(0.8, 1.15))
    if rng.random() < 0.35:
        picture *= _cast(rng, size)[..., None]
    if rng.random() < 0.2:
        picture += np.float32(rng.uniform(0.1, 0.35)) * (205 - picture)
    picture *= light
    if rng.random() < 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.0) * size / 160)
    grain = rng.standard_normal((size, size, 1), np.float32) * np.float32(rng.uniform(1, 4))
    return np.asarray(np.clip(picture + grain, 0, 255).astype(np.uint8))


def _cast(rng: Generator, size: int) -> Image:
    """A soft-edged strip of shade across the picture, shape (size, size), 1 where there is none."""
    shade = np.ones((size, size), np.float32)
    centre, angle = rng.uniform(0, size, 2), rng.uniform(0, np.pi)
    along, aside = np.array((np.cos(angle), np.sin(angle))), np.array((-np.sin(angle), np.cos(angle)))
    reach, wide = 2 * size * along, rng.uniform(0.1, 0.35) * size * aside
    corners = np.array((centre - reach - wide, centre + reach - wide, centre + reach + wide, centre - reach + wide))
    cv2.fillConvexPoly(shade, np.round(corners).astype(np.int32), rng.uniform(0.4, 0.7))
    return np.asarray(cv2.GaussianBlur(shade, (0, 0), max(1.0, size / 80)), np.float32)
