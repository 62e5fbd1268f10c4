"""Files that MJCF names: each is looked at before MuJoCo reads one of them."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from robot_files import TETRAHEDRON

from robotics_ad import load_mjcf, read_mjcf
from robotics_ad.load import mjcf_guard

BALL = '<geom size=".1"/>'
BODY = f"<body><joint/>{BALL}</body>"
Files = dict[str, str | bytes | Callable[[Path], None]]


def mjcf(bodies: str = BODY, rest: str = "") -> str:
    return f"<mujoco>{rest}<worldbody>{bodies}</worldbody></mujoco>"


def include(name: str) -> str:
    return f"<include file='{name}'/>"


def part(inside: str) -> str:
    return f"<mujocoinclude>{inside}</mujocoinclude>"


def model(name: str, attached: str = "<attach model='m' prefix='a'/>") -> str:
    return mjcf(attached, f"<asset><model name='m' file='{name}'/></asset>")


def asset(kind: str, name: str, more: str = "") -> str:
    return mjcf(rest=f"{more}<asset><{kind} name='n' file='{name}'/></asset>")


def large(size: int, head: bytes = b"") -> Callable[[Path], None]:
    """A file with a hole in it."""

    def make(path: Path) -> None:
        path.write_bytes(head)
        os.truncate(path, size)

    return make


def png(width: int, height: int) -> bytes:
    return mjcf_guard._PNG + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(20)


def chain(n: int, times: int) -> Files:
    """Models that attach each the next one several times."""
    attached = "".join(f"<attach model='m' prefix='p{k}'/>" for k in range(times))
    files: Files = {f"m{i}.xml": model(f"m{i + 1}.xml", attached) for i in range(n)}
    return {"main.xml": model("m0.xml", attached), **files, f"m{n}.xml": mjcf()}


def doubled(n: int) -> str:
    """Bodies that attach each the last one twice."""
    twice = "".join(
        f"<body name='b{i}'>{BALL}<attach body='b{i - 1}' prefix='l{i}'/>"
        f"<attach body='b{i - 1}' prefix='r{i}'/></body>"
        for i in range(1, n)
    )
    return mjcf(f"<body name='b0'>{BALL}</body>{twice}")


REPLICATED = "<replicate count='100'><replicate count='101'>{}</replicate></replicate>"
EBCDIC = "<?xml version='1.0' encoding='cp037'?>".encode("ascii") + b"<mujocoinclude/>"
KINDS = {
    "include": lambda name: mjcf(include(name)),
    "mesh": lambda name: asset("mesh", name),
    "mesh in a folder": lambda name: asset("mesh", name, "<compiler meshdir='.'/>"),
    "mesh without its path": lambda name: asset(
        "mesh", f"x/{name}", "<compiler strippath='true'/>"
    ),
    "texture": lambda name: asset("texture type='2d'", name),
    "side": lambda name: mjcf(rest=f"<asset><texture type='cube' fileup='{name}'/></asset>"),
    "hfield": lambda name: asset("hfield size='1 1 1 1'", name),
    "skin": lambda name: mjcf(rest=f"<deformable><skin file='{name}'/></deformable>"),
    "model": model,
    "flexcomp": lambda name: mjcf(f"<body><flexcomp name='f' type='mesh' file='{name}'/></body>"),
}
HOSTILE: dict[str, tuple[str, Files]] = {
    "copies in an include": ("<replicate>: count: more", {
        "main.xml": mjcf(include("part.xml")), "part.xml": part(REPLICATED.format(BODY))}),
    "copies around an include": ("<replicate>: count: more", {
        "main.xml": mjcf("<replicate count='101'>" + include("part.xml") + "</replicate>"),
        "part.xml": part(f"<replicate count='100'>{BODY}</replicate>")}),
    "copies in a model": ("<replicate>: count: more", {
        "main.xml": model("sub.xml"), "sub.xml": mjcf(REPLICATED.format(BODY))}),
    "copies of many": ("1000000 elements with all copies", {
        "main.xml": mjcf("<replicate count='9999'>" + include("part.xml") + "</replicate>"),
        "part.xml": part(BODY * 60)}),
    "a texture in an include": ("<texture>: width, height", {
        "main.xml": mjcf(rest=include("part.xml")),
        "part.xml": part("<asset><texture builtin='flat' width='90000' height='90000'/></asset>")}),
    "numbers in a model": ("<numeric>: size", {
        "main.xml": model("sub.xml"),
        "sub.xml": mjcf(rest="<custom><numeric name='n' size='2000000000'/></custom>")}),
    "a generated mesh": ("<mesh>: params", {
        "main.xml": mjcf(rest="<asset><mesh name='m' builtin='supersphere' params='1e5 1 1'/>"
                              "</asset>")}),
    "document types": ("document type declarations", {
        "main.xml": mjcf(include("part.xml")),
        "part.xml": "<!DOCTYPE m [<!ENTITY a 'x'>]>" + part(BODY)}),
    "another encoding": ("not XML|not UTF-8|MuJoCo refuses", {
        "main.xml": mjcf(include("part.xml")), "part.xml": EBCDIC}),
    "depth": ("nested deeper", {
        "main.xml": mjcf("<body>" * 200 + include("part.xml") + "</body>" * 200),
        "part.xml": part("<body>" * 250 + "</body>" * 250)}),
    "what is no model": ("this is URDF", {"main.xml": model("r.urdf"), "r.urdf": "<robot/>"}),
    "an include of itself": ("a file within itself", {"main.xml": mjcf(include("main.xml"))}),
    "includes of each other": ("a file within itself", {
        "main.xml": mjcf(include("a.xml")), "a.xml": part(include("b.xml")),
        "b.xml": part(include(".//a.xml"))}),
    "includes in a chain": ("too deep within each other", {
        "main.xml": mjcf(include("0.xml")),
        **{f"{i}.xml": part(include(f"{i + 1}.xml")) for i in range(60)}, "60.xml": part(BODY)}),
    "includes by many names": ("too many documents", {
        "main.xml": mjcf(include("0.xml")),
        **{f"{i}.xml": part("".join(include(f"{'./' * k}{i + 1}.xml") for k in range(3)))
           for i in range(12)}, "12.xml": part(BODY)}),
    "a model of itself": ("a file within itself", {"main.xml": model("main.xml")}),
    "models of each other": ("a file within itself", {
        "main.xml": model("a.xml"), "a.xml": model("sub/../main.xml"), "sub": Path.mkdir}),
    "a model in an include": ("a file within itself", {
        "main.xml": "<mujoco>" + include("part.xml") + "</mujoco>",
        "part.xml": part("<asset><model name='m' file='main.xml'/></asset>")}),
    "models of models": ("elements with all copies", chain(4, 50)),
    "bodies doubled": ("elements with all copies", {"main.xml": doubled(25)}),
    "an archive": ("archives are not read", {"main.xml": asset("mesh", "a.zip/m.stl")}),
    "a model in an archive": ("archives are not read", {"main.xml": model("a.MJZ")}),
    "text in an address": ("an address, expected a path", {
        "main.xml": mjcf(include("LoadModelFromString:x"))}),
    "a large mesh": ("larger than", {
        "main.xml": asset("mesh", "m.stl"), "m.stl": large(3 << 30)}),
    "large meshes": ("larger than", {
        "main.xml": mjcf(rest="<asset><mesh name='a' file='a.stl'/><mesh file='b.stl'/></asset>"),
        "a.stl": large(3 << 29), "b.stl": large(3 << 29)}),
    "a large document": ("larger than", {
        "main.xml": mjcf(include("part.xml")), "part.xml": large(1 << 27, b"<a/>")}),
    "a large picture": ("pixels", {
        "main.xml": asset("texture type='2d'", "t.png"), "t.png": png(60_000, 60_000)}),
    "a large terrain": ("pixels", {
        "main.xml": asset("hfield size='1 1 1 1'", "h.png"), "h.png": png(60_000, 60_000)}),
    **{f"a pipe as {kind}": ("is not a file", {"main.xml": named("pipe"), "pipe": os.mkfifo})
       for kind, named in KINDS.items()},
    **{f"a folder as {kind}": ("is not a file", {"main.xml": named("folder"), "folder": Path.mkdir})
       for kind, named in KINDS.items()},
    "a pipe in the folder of meshes": ("is not a file", {
        "main.xml": asset("mesh", "m.stl", "<compiler meshdir='sub'/>"), "sub/m.stl": os.mkfifo}),
    "a pipe in the folder of a part": ("is not a file", {
        "main.xml": mjcf(include("sub/part.xml")), "sub/part.xml": part(include("pipe")),
        "sub/pipe": os.mkfifo}),
    "an include in capitals": ("a file within itself", {
        "main.xml": mjcf("<INCLUDE file='main.xml'/>")}),
    "a device as mesh": ("is not a file", {"main.xml": asset("mesh", "/dev/zero")}),
    "a link to a device": ("is not a file", {
        "main.xml": asset("mesh", "m.stl"), "m.stl": lambda path: path.symlink_to("/dev/zero")}),
}  # fmt: skip


def written(files: Files, folder: Path) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "main.xml"


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_before_mujoco_reads_one(case, tmp_path, monkeypatch):
    message, files = HOSTILE[case]
    main = written(files, tmp_path)
    if "MuJoCo" not in message:
        monkeypatch.setattr(mujoco.MjModel, "from_xml_path", pytest.fail)
        monkeypatch.setattr(mujoco.MjModel, "from_xml_string", pytest.fail)
    with pytest.raises(ValueError, match=message) as caught:
        load_mjcf(main)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("kind", ["body", "frame"])
@pytest.mark.parametrize("inside", [False, True])
def test_text_that_doubles_itself_is_refused(kind, inside):
    """Parts that attach each the one before twice, or one that attaches itself again and again."""

    def doubled(n: int) -> str:
        if inside:
            own = "".join(f"<attach {kind}='b0' prefix='{i}'/>" for i in range(n))
            inner = f"<{kind} name='b1'><body>{BALL}</body>{own}</{kind}>"
            return mjcf(f"<{kind} name='b0'>{inner}</{kind}>")
        parts = [
            f"<{kind} name='b{i}'><body>{BALL}</body>"
            + "".join(f"<attach {kind}='b{i - 1}' prefix='{i}{side}'/>" for side in "lr" if i)
            + f"</{kind}>"
            for i in range(n)
        ]
        return mjcf("".join(parts))

    theirs = mujoco.MjModel.from_xml_string(doubled(5))
    assert read_mjcf(doubled(5)).model.nbody == theirs.nbody > 30
    with pytest.raises(ValueError, match="more than 1000000 elements with all copies"):
        load_mjcf(doubled(25))


MESHED = "<body name='b'><joint name='j'/><geom type='mesh' mesh='m'/></body>"
JOINTED = f"<body name='b'><joint name='j'/>{BALL}</body>"
HARMLESS: dict[str, Files] = {
    "a part beside it": {"main.xml": mjcf(include("a.xml")), "a.xml": part(JOINTED)},
    "a part that names one beside itself": {
        "main.xml": mjcf(include("parts/a.xml")), "parts/a.xml": part(include("b.xml")),
        "parts/b.xml": part(JOINTED)},
    "a part that names one beside the first": {
        "main.xml": mjcf(include("parts/a.xml")), "parts/a.xml": part(include("parts/b.xml")),
        "parts/b.xml": part(JOINTED)},
    "copies of a part": {
        "main.xml": mjcf(f"<replicate count='3' offset='1 0 0'>{include('a.xml')}</replicate>"),
        "a.xml": part(JOINTED)},
    "a mesh": {"main.xml": mjcf(MESHED, "<asset><mesh name='m' file='m.obj'/></asset>"),
               "m.obj": TETRAHEDRON},
    "a mesh in a folder that a part names": {
        "main.xml": mjcf(MESHED, "<asset><mesh name='m' file='m.obj'/></asset>"
                         + include("c.xml")),
        "c.xml": part("<compiler meshdir='meshes'/>"), "meshes/m.obj": TETRAHEDRON},
    "a mesh of a model": {
        "main.xml": model("sub/s.xml"), "sub/meshes/m.obj": TETRAHEDRON,
        "sub/s.xml": mjcf(MESHED, "<compiler meshdir='meshes'/><asset><mesh name='m' "
                                  "file='m.obj'/></asset>")},
    "a model twice": {
        "main.xml": model("s.xml", "<attach model='m' prefix='l'/><frame pos='1 0 0'>"
                                   "<attach model='m' prefix='r'/></frame>"),
        "s.xml": mjcf(JOINTED)},
    "a model of a model": {
        "main.xml": model("s.xml"), "s.xml": model("t.xml"), "t.xml": mjcf(JOINTED)},
}  # fmt: skip


@pytest.mark.parametrize("case", HARMLESS)
def test_files_of_several_parts_are_loaded(case, tmp_path):
    main = written(HARMLESS[case], tmp_path)
    scene = read_mjcf(main)
    theirs = mujoco.MjModel.from_xml_path(str(main))
    assert scene.robot.nv == theirs.nv > 0
    assert scene.robot.mass == pytest.approx(theirs.body_mass.sum(), rel=1e-12)


def test_a_body_may_be_attached_again():
    text = mjcf(f"{JOINTED}<frame pos='1 0 0'><attach body='b' prefix='p'/></frame>")
    assert load_mjcf(text).joint_names == ("j", "pj")


def test_the_largest_numbers_that_are_allowed_are_loaded():
    text = mjcf(f"<replicate count='300' offset='1 0 0'>{BODY}</replicate>")
    assert load_mjcf(text).nv == 300
    assert np.isfinite(load_mjcf(text).mass)
