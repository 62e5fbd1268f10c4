"""Folders that only this user can write, and files that are written whole or not at all."""

from __future__ import annotations

import grp
import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fresh_process import run_python

from bridges.native import cache, files
from bridges.native.files import make_private, put_file, read_private

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="gives folders to other users")
STRANGER = 54_321
A_GROUP = 54_322


@pytest.fixture(autouse=True)
def no_remembered_groups() -> Iterator[None]:
    files._is_private_group.cache_clear()
    yield
    files._is_private_group.cache_clear()


# ------------------------------------------------------------------------------ folders on the way

# Owner, group and mode of a folder that leads to the cache, and what is said of it.
ABOVE = {
    "ours": (0, 0, 0o755, None),
    "ours, others write": (0, 0, 0o777, "can be written by other users"),
    "ours, others write but do not read": (0, 0, 0o703, "can be written by other users"),
    "ours, a group writes": (0, A_GROUP, 0o775, "can be written by other users"),
    "ours, sticky": (0, A_GROUP, 0o1777, None),
    "another's": (STRANGER, 0, 0o755, "belongs to another user"),
    "another's, sticky": (STRANGER, 0, 0o1777, "belongs to another user"),
}


@needs_root
@pytest.mark.parametrize("way", ["plain", "link", "link to a link"])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("kind", ABOVE)
def test_every_folder_on_the_way_is_looked_at(
    tmp_path: Path, kind: str, depth: int, way: str
) -> None:
    owner, group, mode, fault = ABOVE[kind]
    path = tmp_path / "a" / "b" / "c" / "cache"
    path.mkdir(parents=True)
    path.chmod(0o700)
    folder = path.parents[depth - 1]
    os.chown(folder, owner, group)
    folder.chmod(mode)
    given = path
    if way != "plain":
        given = tmp_path / "link"
        given.symlink_to(path.parent)
        given /= "cache"
    if way == "link to a link":
        second = tmp_path / "second"
        second.mkdir()
        (second / "link").symlink_to(tmp_path / "link")
        given = second / "link" / "cache"
    said = make_private(given)
    if fault is None:
        assert said is None
    else:
        assert said is not None
        assert fault in said
        assert folder.name in said


@needs_root
def test_a_folder_of_links_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """Neither the way that is given nor the way that is meant leads through it, but a link does."""
    path = tmp_path / "cache"
    path.mkdir(mode=0o700)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "middle").symlink_to(path)
    (tmp_path / "first").symlink_to(shared / "middle")
    assert make_private(tmp_path / "first") is None
    shared.chmod(0o777)
    said = make_private(tmp_path / "first")
    assert said is not None
    assert "shared, which can be written by other users" in said


# ------------------------------------------------------------------------------------------ groups


def account(name: str, group: int) -> SimpleNamespace:
    return SimpleNamespace(pw_name=name, pw_gid=group)


# The accounts besides ours (me, 1000), the group 1000 and its members; whether it is ours alone.
GROUPS = {
    "ours": ([], "me", [], True),
    "ours, with ourselves as a member": ([], "me", ["me"], True),
    "with another member": ([], "me", ["you"], False),
    "first group of another": ([account("you", 1000)], "me", [], False),
    "of another name": ([], "users", [], False),
}


@pytest.mark.parametrize("kind", GROUPS)
def test_a_group_is_private_if_no_one_else_is_in_it(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    others, name, members, private = GROUPS[kind]
    monkeypatch.setattr(pwd, "getpwuid", lambda _: account("me", 1000))
    monkeypatch.setattr(pwd, "getpwall", lambda: [account("me", 1000), *others])
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_name=name, gr_mem=members))
    assert files._is_private_group(1000) is private


def test_a_user_without_an_account_has_no_private_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert not files._is_private_group(os.getgid())


@pytest.mark.parametrize("private", [True, False])
def test_a_cache_that_ones_own_group_can_write_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    """As the mask 002 makes it where every user has a group."""
    monkeypatch.setattr(files, "_is_private_group", lambda _: private)
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o775)
    assert make_private(folder) == (None if private else "can be written by other users")
    file = tmp_path / "file"
    file.write_text("text")
    file.chmod(0o664)
    if private:
        assert read_private(file) == b"text"
    else:
        with pytest.raises(OSError, match="can be written by other users"):
            read_private(file)


@needs_root
def test_a_file_of_another_user_and_a_link_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(OSError, match="symbolic link"):
        read_private(tmp_path / "link")
    os.chown(file, STRANGER, -1)
    with pytest.raises(OSError, match="belongs to another user"):
        read_private(file)


# ---------------------------------------------------------------------------- where the cache lies

NO_HOME = """
    import os
    del os.environ["HOME"]
    from bridges.native import cache
    os.chdir(os.environ["TMPDIR"])
    os.setgid(54321)
    os.setuid(54321)
    print(cache.open_cache(), os.listdir())
"""


@needs_root
@pytest.mark.parametrize("chosen", ["", "~/kernels"])
def test_without_a_home_the_cache_is_in_the_temporary_folder(tmp_path: Path, chosen: str) -> None:
    """And no folder named `~` is made."""
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        os.chmod(temporary, 0o1777)
        where = {"XDG_CACHE_HOME": "", "ROBOGRAD_CACHE": chosen, "TMPDIR": temporary}
        expected = f"{temporary}/robograd-54321/kernels ['robograd-54321']"
        assert run_python(NO_HOME, **where) == expected


@pytest.mark.parametrize("base", ["relative", "", "~/here"])
def test_a_relative_cache_home_plays_no_part(
    monkeypatch: pytest.MonkeyPatch, base: str, tmp_path: Path
) -> None:
    monkeypatch.delenv("ROBOGRAD_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    assert cache.cache_path() == tmp_path / ".cache" / "robograd" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache.cache_path() == tmp_path / "caches" / "robograd" / "kernels"


def test_the_folder_in_place_of_a_refused_one_is_gone_with_the_process(tmp_path: Path) -> None:
    code = """
        import os, warnings
        warnings.simplefilter("ignore")
        from bridges.native import cache
        path = cache.open_cache()
        assert path == cache.open_cache()
        child = os.fork()
        if not child:
            raise SystemExit(0)
        os.waitpid(child, 0)
        print(path.is_dir(), path.name.startswith("robograd-"))
    """
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "tmp").mkdir()
    where = {"ROBOGRAD_CACHE": str(tmp_path / "file"), "TMPDIR": str(tmp_path / "tmp")}
    assert run_python(code, **where) == "True True"
    assert not list((tmp_path / "tmp").iterdir())


# -------------------------------------------------------------------------------------- full disks

FULL = """
    import resource, warnings, numpy as np
    import ad_core as ad
    from bridges.kernel import ad_to_kernel
    from bridges.casadi import ad_to_casadi
    from bridges.native.files import put_file
    x = ad.var("x", 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        {make}
    print(len(caught), caught[0].category.__name__)
"""


@pytest.mark.parametrize("size", [0, 100, 5000])
@pytest.mark.parametrize(
    "make",
    [
        "assert (ad_to_kernel(x * 3.0)(np.ones(2)) == 3.0).all()",
        "assert ad_to_casadi(x * 3.0, compiled=True)([1.0, 1.0]).full().sum() == 6.0",
    ],
)
def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path, make: str, size: int) -> None:
    """Files cannot grow, as on a full disk; the slow way works, with one warning."""
    code = FULL.format(size=size, make=make)
    assert run_python(code, ROBOGRAD_CACHE=str(tmp_path / "cache")) == "1 RuntimeWarning"
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not left
    assert not list(tmp_path.rglob("build-*"))


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    code = f"""
        import resource
        from bridges.native.files import put_file
        put_file("{tmp_path}/file", b"old")
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            put_file("{tmp_path}/file", bytes(1000))
        except OSError as error:
            print("refused")
    """
    assert run_python(code) == "refused"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
    put_file(tmp_path / "file", b"new", 0o600)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("absent/file", FileNotFoundError),
        ("folder", IsADirectoryError),
        ("of/x", NotADirectoryError),
    ],
)
def test_an_error_names_the_path_that_was_given(
    tmp_path: Path, place: str, error: type[OSError], kind: Callable[[Path], Any]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "of").write_text("no folder")
    path = kind(tmp_path / place)
    with pytest.raises(error) as caught:
        put_file(path, b"new")
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / place), None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "of"]


def test_a_path_may_be_bytes(tmp_path: Path) -> None:
    put_file(os.fsencode(tmp_path / "file"), b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
