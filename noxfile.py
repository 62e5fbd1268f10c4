"""The tests on every Python and with the oldest releases: `nox -s tests-3.12`, `nox -s oldest`.

A session makes an environment of its own; torch is the largest part of it. `-- PATHS` runs some of
the tests. What has run is in docs/reliability.md.
"""

import re
from pathlib import Path

import nox

nox.needs_version = ">=2024.4"
nox.options.sessions = ["tests-3.10"]
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
ROOT = Path(__file__).parent


def required() -> list[str]:
    """The required packages, each with the lower end of its range."""
    project = nox.project.load_toml(ROOT / "pyproject.toml")["project"]
    return [re.sub(r">=([^,]+).*", r"==\1.*", line) for line in project["dependencies"]]


def run_tests(session: nox.Session) -> None:
    """The tests that the command line names, or all but the slow ones."""
    # Test processes must agree on the names of parametrized tests.
    env = {"PYTHONHASHSEED": "0"}
    chosen = session.posargs or ["-n", "2", "--dist", "worksteal"]
    session.run("python", "-m", "pytest", "-m", "not slow", *chosen, env=env)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests but the slow ones, with the newest releases that this Python has."""
    session.install(".[test]")
    run_tests(session)


@nox.session(python="3.10")
def oldest(session: nox.Session) -> None:
    """The oldest releases of what is required, on the oldest Python."""
    session.install(".[test]", *required())
    run_tests(session)
