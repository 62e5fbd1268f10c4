"""What packagers read says the same as `pyproject.toml` and the package."""

import re
from pathlib import Path

import robograd

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def required() -> dict[str, str]:
    """The required packages and their ranges, from `pyproject.toml`."""
    (block,) = re.findall(r"^dependencies = \[(.*?)\]", text("pyproject.toml"), re.M | re.S)
    return dict(re.findall(r'"(\w+)([^"]+)"', block))


def test_one_version_everywhere() -> None:
    version = robograd.__version__
    assert f'version: "{version}"' in text("recipe/recipe.yaml")
    assert f"version: {version}\n" in text("CITATION.cff")
    assert re.findall(r"^## \[(\d[^\]]*)\]", text("CHANGELOG.md"), re.M)[0] == version


def test_the_recipe_needs_what_an_install_needs() -> None:
    (block,) = re.findall(r"^  run:\n(.*?)^  \w", text("recipe/recipe.yaml"), re.M | re.S)
    lines = dict(re.findall(r"- ([\w-]+) (\S+)", block))
    python = lines.pop("python")
    lines["torch"] = lines.pop("pytorch")
    assert lines == required()
    assert python == ">=${{"
    (oldest,) = re.findall(r'python_min: "(.*)"', text("recipe/recipe.yaml"))
    assert f'requires-python = ">={oldest}"' in text("pyproject.toml")


def test_each_extra_of_the_recipe_is_one_of_ours() -> None:
    (block,) = re.findall(r"^  run_constraints:\n(.*?)^\w", text("recipe/recipe.yaml"), re.M | re.S)
    for name, wanted in re.findall(r"- ([\w-]+) (\S+)", block):
        assert f'"{name.removesuffix("-base")}{wanted}"' in text("pyproject.toml")
