"""An arm's tool through six poses, smoothly, among obstacles and clear of the arm itself.

    minimise    integral of |d3q/dt3|^2 dt,           q(t) a quintic spline, at rest at both ends
    subject to  the tool's poses at their times,      control points within the joints' limits,
                CollisionDistances, SelfCollision >= MARGIN at the nodes

The unknowns are the spline's control points. The first solution knows no obstacles; it runs into
them, and so do straight lines through its configurations at the poses. IPOPT starts there. Its
Hessian leaves out the curvature of the distances, which takes longer to compute than it saves in
iterations.

`SweptClearance` then bounds every distance from below between 1,000 samples, not only at them. What
the spline departs from a straight line between two samples, h^2 / 8 |d2q/dt2| in each joint, times
the arm's reach, is taken off.

Run: python examples/09_smooth_among_obstacles.py [picture.png]
"""

import sys
from dataclasses import dataclass

import casadi
import numpy as np

import ad_core as ad
from bridges.casadi import ad_to_casadi
from robotics_ad import packaged_arm, se3, so3
from robotics_ad.geometry import CollisionDistances, SelfCollision, SweptClearance
from robotics_ad.kinematics import WorldTransform, WorldTransforms
from robotics_ad.model import Box, Capsule, HalfSpace, PlacedShape, Sphere
from robotics_ad.trajectory import BSpline, PiecewiseLinear, TimeDerivative, clamped_knots

ARM = packaged_arm()
FRAMES = WorldTransforms(ARM, list(ARM.link_names))("q")
REACH = 1.3  # no point of the arm is farther from any of its joints, m
OBSTACLES = {
    "table": PlacedShape(HalfSpace()),
    "box": PlacedShape(Box([0.09, 0.09, 0.3]), translation=[0.28, -0.41, 0.15]),
    "post": PlacedShape(Capsule(0.05, 0.4), translation=[0.55, 0.08, 0.25]),
    "ball": PlacedShape(Sphere(0.07), translation=[0.17, 0.38, 0.66]),
}
TIMES = np.linspace(0.0, 5.0, 6)
ROUND = np.array([-1.35, -0.6, -0.2, 0.5, 0.8, 1.5])  # angles about the arm's first axis
HEIGHT = np.array([0.2, 0.4, 0.3, 0.3, 0.4, 0.2])
NODES, SAMPLES = np.linspace(0.0, 5.0, 41), np.linspace(0.0, 5.0, 1001)
MARGIN, NEAR = 0.03, 0.2  # m: kept at the nodes; pairs that never come as near have no row
POINTS = 18
CURVE = BSpline(ARM, POINTS, 5, clamped_knots(POINTS, 5, TIMES[0], TIMES[-1]))


def poses() -> np.ndarray:
    """The tool's six poses: it points down and turns with the arm."""
    down = so3.exp([0.0, np.pi, 0.0])
    turns = [so3.mul(so3.exp([0.0, 0.0, angle]), down).eval() for angle in ROUND]
    places = np.stack([0.5 * np.cos(ROUND), 0.5 * np.sin(ROUND), HEIGHT], axis=1)
    return np.concatenate([turns, places], axis=1)


def at(times: np.ndarray, order: int = 0) -> casadi.DM:
    """The matrix that takes the control points to the curve, or a derivative, at these times."""
    row = (TimeDerivative(CURVE, order) if order else CURVE)("t", "points")
    blocks = row.derivative_batch("points", t=times[:, None], points=np.zeros(7 * POINTS))
    return casadi.sparsify(casadi.DM(blocks.reshape(-1, 7 * POINTS)))


def along(times: np.ndarray, points: np.ndarray, order: int = 0) -> np.ndarray:
    """The curve, or a derivative, at these times, (n, 7)."""
    return (at(times, order) @ points).full().reshape(-1, 7)


class Problem:
    """The smoothest motion through the poses, with rows that say how far shapes are apart."""

    def __init__(self) -> None:
        self.x = casadi.MX.sym("x", 7 * POINTS)
        spans = np.unique(CURVE.knots)
        nodes, weights = np.polynomial.legendre.leggauss(3)  # exact for the jerk's square
        half = np.diff(spans)[:, None] / 2
        jerk = at((spans[:-1, None] + half * (1 + nodes)).ravel(), 3) @ self.x
        self.cost = casadi.dot(np.repeat(half * weights, 7), jerk**2) / 1000
        forward = WorldTransform(ARM.link("tool"))(ad.var("q", 7))
        miss = ad_to_casadi(se3.error(forward, ad.var("T", 12)), ["q", "T"], mapped=6)
        rest = [at(TIMES[[0, -1]], order) @ self.x for order in (1, 2)]
        self.held = casadi.vertcat(casadi.vec(miss(self.over(TIMES), poses().T)), *rest)

    def over(self, times: np.ndarray) -> casadi.MX:
        """The configurations at these times, (7, n)."""
        return casadi.reshape(at(times) @ self.x, 7, len(times))

    def solve(self, start: np.ndarray, *distances: CollisionDistances) -> tuple[str, np.ndarray]:
        """IPOPT's status and the control points."""
        rows = [ad_to_casadi(d, mapped=len(NODES))(self.over(NODES)) for d in distances]
        free = casadi.vertcat(casadi.MX(0, 1), *(casadi.vec(row) for row in rows))
        held, apart = self.held.numel(), free.numel()
        of_cost, of_rows = casadi.MX.sym("of_cost"), casadi.MX.sym("of_rows", held + apart)
        lagrangian = of_cost * self.cost + casadi.dot(of_rows[:held], self.held)
        upper = casadi.triu(casadi.hessian(lagrangian, self.x)[0])
        inputs = [self.x, casadi.MX.sym("p", 0), of_cost, of_rows]
        options = {
            "print_time": False,
            "ipopt.print_level": 0,
            "ipopt.sb": "yes",
            "hess_lag": casadi.Function(
                "nlp_hess_l",
                inputs,
                [upper],
                ["x", "p", "lam_f", "lam_g"],
                ["triu_hess_gamma_x_x"],
            ),
        }
        program = {"x": self.x, "f": self.cost, "g": casadi.vertcat(self.held, free)}
        solver = casadi.nlpsol("smooth", "ipopt", program, options)
        low, high = np.tile(ARM.q_lower, POINTS), np.tile(ARM.q_upper, POINTS)
        most = np.concatenate([np.zeros(held), np.full(apart, np.inf)])
        result = solver(x0=start, lbx=low, ubx=high, lbg=0.0, ubg=most)
        stats = solver.stats()
        print(f"{stats['return_status']} after {stats['iter_count']} iterations")
        return stats["return_status"], result["x"].full()[:, 0]


@dataclass(frozen=True)
class Motion:
    """What was found: control points, and configurations at `SAMPLES`, (1001, 7)."""

    status: str
    points: np.ndarray
    q: np.ndarray
    straight: np.ndarray
    nearest: float
    nearest_straight: float
    bound: float
    missed: float


def everything() -> CollisionDistances:
    """All pairs of shapes but for those of the arm that touch however it stands."""
    rows = CollisionDistances(ARM, OBSTACLES)
    d = rows("q").eval_batch(q=ARM.random(np.random.default_rng(0), 1000))
    parted = [pair for pair, most in zip(rows.pairs, d.max(axis=0), strict=True) if most > 0.01]
    return CollisionDistances(ARM, OBSTACLES, pairs=parted)


def near(rows: CollisionDistances, q: np.ndarray) -> tuple[CollisionDistances, SelfCollision]:
    """Rows for the program: the pairs that come near, of the arm's own those a link apart."""
    number = {name: k for k, name in enumerate(ARM.link_names)}
    least = rows("q").eval_batch(q=q).min(axis=0)
    close = [pair for pair, d in zip(rows.pairs, least, strict=True) if d < NEAR]
    others = [(a, b) for a, b in close if isinstance(b, str)]
    own = [(a, b) for a, b in close if not isinstance(b, str) and number[b[0]] > number[a[0]] + 2]
    return (
        CollisionDistances(ARM, OBSTACLES, MARGIN, others),
        SelfCollision(ARM, MARGIN, own),
    )


def main(picture: str | None = None) -> Motion:
    """The motion, its distances at 1,000 samples, and the bound between them."""
    problem, distances = Problem(), everything()
    d = distances("q")
    _, first = problem.solve(np.tile([0.0, 0.5, 0.0, 1.5, 0.0, 1.1, 0.0], POINTS))
    through = PiecewiseLinear(7, 6, TIMES)("t", along(TIMES, first).ravel())
    straight = through.eval_batch(t=SAMPLES[:, None])
    blind = np.concatenate([along(SAMPLES, first), straight])
    status, points = problem.solve(first, *near(distances, blind))

    q = along(SAMPLES, points)
    bend = np.abs(along(SAMPLES, points, 2)).max(axis=0).sum()  # rad/s^2, over the joints
    aside = 2 * REACH * bend * (SAMPLES[1] - SAMPLES[0]) ** 2 / 8
    swept = SweptClearance(ARM, OBSTACLES, aside, distances.pairs)("q0", "q1")
    bound = float(swept.eval_batch(q0=q[:-1], q1=q[1:]).min())
    held = casadi.Function("held", [problem.x], [problem.held])(points).full()
    motion = Motion(
        status,
        points,
        q,
        straight,
        float(d.eval_batch(q=q).min()),
        float(d.eval_batch(q=straight).min()),
        bound,
        float(np.abs(held).max()),
    )
    print(f"straight from pose to pose the arm is {-motion.nearest_straight:.3f} m inside")
    print(f"found: {motion.nearest:.4f} m apart at 1,000 samples, {bound:.4f} m between them")
    print(f"poses missed by {motion.missed:.1e}")
    if picture is not None:
        draw(picture, motion)
    return motion


# ---- the picture

VIEWS = {"from above": (0, 1), "from the front": (1, 2)}
COLOURS = {"box": "goldenrod", "post": "olivedrab", "ball": "mediumpurple"}


def outline(placed: PlacedShape, view: tuple[int, int]) -> np.ndarray:
    """The shadow of a box, a sphere or a capsule along an axis of the world, a polygon (n, 2)."""
    corners, radius = np.zeros((1, 3)), 0.0
    match placed.shape:
        case Box(size):
            corners = 0.5 * size * np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
        case Sphere(radius):
            pass
        case Capsule(radius, length):
            corners = np.array([[0.0, 0.0, -length / 2], [0.0, 0.0, length / 2]])
    flat = (corners @ placed.rotation.T + placed.translation)[:, view]
    angle = np.linspace(0.0, 2 * np.pi, 73)
    towards = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return flat[np.argmax(towards @ flat.T, axis=1)] + radius * towards


def shapes(q: np.ndarray) -> dict[tuple[str, int], PlacedShape]:
    """The arm's shapes where they are, by link and number."""
    found: dict[tuple[str, int], PlacedShape] = {}
    for link, T in zip(ARM.links, FRAMES.eval(q=q).reshape(-1, 12), strict=True):
        R = T[:9].reshape(3, 3).T
        for k, own in enumerate(link.collisions):
            centre = R @ own.translation + T[9:]
            found[link.name, k] = PlacedShape(own.shape, R @ own.rotation, centre)
    return found


def draw(path: str, motion: Motion) -> None:
    """The arm where the straight way is deepest in each obstacle, from above and from the front."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    rows = CollisionDistances(ARM, OBSTACLES)
    inside = rows("q").eval_batch(q=motion.straight)
    tool, knots = WorldTransform(ARM.link("tool"))("q"), poses()[:, 9:]
    found, straight = (tool.eval_batch(q=q)[:, 9:] for q in (motion.q, motion.straight))
    figure = Figure(figsize=(9.6, 6.6), layout="constrained")
    grid = figure.subplots(2, 3, sharex="row", sharey="row", height_ratios=[1.15, 1.0])
    for column, name in zip(grid.T, COLOURS, strict=True):
        own = [i for i, pair in enumerate(rows.pairs) if pair[1] == name]
        k = int(inside[:, own].min(axis=1).argmin())
        for axes, view in zip(column, VIEWS.values(), strict=True):
            bodies = (
                (shapes(motion.straight[k]).values(), "mistyrose", "indianred"),
                (shapes(motion.q[k]).values(), "lightsteelblue", "steelblue"),
            )
            for body, fill, edge in bodies:  # all edges, then all insides: a silhouette
                shadows = [outline(placed, view).T for placed in body]
                for shadow in shadows:
                    axes.fill(*shadow, fill=False, ec=edge, lw=2.0)
                for shadow in shadows:
                    axes.fill(*shadow, fc=fill, lw=0.0)
            for other, colour in COLOURS.items():
                shadow = outline(OBSTACLES[other], view).T
                axes.fill(*shadow, color=colour, alpha=0.8 if other == name else 0.4, zorder=0.5)
                axes.plot(*shadow, color=colour, lw=1.5 if other == name else 0.7)
            axes.plot(*straight[:, view].T, color="firebrick", lw=1.2, ls="--")
            axes.plot(*found[:, view].T, color="navy", lw=1.5)
            axes.plot(*knots[:, view].T, "ko", ms=4.5)
            axes.set(aspect="equal", xlabel=f"{'xyz'[view[0]]}, m")
        column[0].set_title(f"{SAMPLES[k]:.2f} s: past the {name}")
        column[1].axhline(0.0, color="0.4", lw=1.5, zorder=0)
    for axes, (title, view) in zip(grid[:, 0], VIEWS.items(), strict=True):
        axes.set_ylabel(f"{title}\n{'xyz'[view[1]]}, m")
    names = {
        "found: tool and arm": Line2D([], [], color="navy", lw=1.5),
        "straight, without constraints": Line2D([], [], color="firebrick", lw=1.2, ls="--"),
        "the tool's six poses": Line2D([], [], color="k", marker="o", ls="", ms=4.5),
    }
    names |= {f"the {name}": Patch(color=colour) for name, colour in COLOURS.items()}
    figure.legend(names.values(), names.keys(), loc="outside lower center", ncols=6, frameon=False,
                  fontsize=8)  # fmt: skip
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main(*sys.argv[1:2])
