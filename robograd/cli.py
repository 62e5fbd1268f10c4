"""The ``robograd`` command: parse the arguments, call what does the work, say what went wrong.

Each subcommand imports what it needs when it runs, so that ``robograd --help`` answers at once.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from bridges.native import cache
from robograd import __version__
from robograd.doctor import examine

# What a wrong file, name, number or installation raises. Anything else is a fault of ours and keeps
# its traceback.
_USER_ERRORS = (ValueError, OSError, ImportError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (``sys.argv[1:]`` if None) and return the exit status.

    0 is success, 1 a fault that is reported in one line on standard error or an answer that was not
    found, 2 a command line that does not parse, 130 an interrupt from the keyboard, 141 output that
    nobody reads any more.
    """
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python would write what is left, and complain, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(argv: Sequence[str] | None) -> int:
    arguments = _parsed(sys.argv[1:] if argv is None else argv)
    try:
        return arguments.run(arguments) or 0
    except BrokenPipeError:
        raise
    except _USER_ERRORS as error:
        if arguments.traceback:
            raise
        print(f"robograd {arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"robograd {arguments.command}: interrupted", file=sys.stderr)
        return 130


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """The arguments; a xacro file's NAME:=VALUE may stand anywhere, as in ROS."""
    parser, mappings = _parser(), [word for word in words if _MAPPING.match(word)]
    arguments = parser.parse_args([word for word in words if word not in mappings])
    if mappings and "mappings" not in arguments:
        parser.error(f"unrecognized arguments: {' '.join(mappings)}")
    arguments.mappings = dict(_mapping(word) for word in mappings)
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="robograd",
        description="Robot kinematics and dynamics as one differentiable graph.",
    )
    parser.add_argument("--version", action="version", version=f"robograd {__version__}")
    parser.add_argument(
        "--traceback", action="store_true", help="show where in the code an error arose"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add_some in (_add_work, _add_robots, _add_upkeep):
        add_some(commands.add_parser)
    return parser


_MAPPING = re.compile(r"[\w.-]+:=")


def _mapping(word: str) -> tuple[str, str]:
    """Name and value of NAME:=VALUE."""
    if not _MAPPING.match(word):
        raise argparse.ArgumentTypeError(f"'{word}' is not NAME:=VALUE")
    name, _, value = word.partition(":=")
    return name, value


_Add = Callable[..., argparse.ArgumentParser]


def _add_work(add: _Add) -> None:
    """What computes and writes."""
    demo = add(
        "demo",
        help="batched kinematics, a trained inverse kinematics network, an optimal swing",
        description="Run one robot graph as a kernel, as a torch layer in training and as an "
        "IPOPT program, and draw the results.",
    )
    _add_robot(demo)
    demo.add_argument("--link", metavar="NAME", help="the link to place (default: the last one)")
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("demo.png"),
        metavar="FILE",
        help="where the picture goes (default: %(default)s)",
    )
    demo.add_argument("--seed", type=int, default=0, help="of the random numbers (default: 0)")
    demo.set_defaults(run=_demo)

    codegen = add("codegen", help="a robot's function and derivatives as a C file")
    codegen.add_argument("function", choices=("kinematics", "dynamics"))
    codegen.add_argument("output", type=Path, metavar="FILE.c", help="named as the function in it")
    _add_robot(codegen)
    codegen.add_argument("--link", metavar="NAME", help="the link to place (default: the last one)")
    codegen.add_argument("--stages", type=int, default=1, help="computed in one call (default: 1)")
    codegen.set_defaults(run=_codegen)

    bench = add(
        "bench",
        help="times of a robot's functions beside the peers that are installed",
        description="Time kinematics and dynamics of a robot file as kernels beside Pinocchio, "
        "pytorch_kinematics and adam, as far as these are installed, on one thread.",
    )
    _add_file(bench)
    bench.add_argument("--link", metavar="NAME", help="the link to place (default: the last one)")
    bench.add_argument(
        "--batch", type=int, default=1000, metavar="N", help="samples a call (default: %(default)s)"
    )
    bench.set_defaults(run=_bench)


def _add_robots(add: _Add) -> None:
    """What looks at a robot."""
    info = add(
        "info",
        help="a robot file as a tree; without one, what a bug report needs",
        description="Print a robot file's links and joints with types, limits and masses; without "
        "a file, versions, compiler and cache.",
    )
    _add_file(info, nargs="?")
    info.add_argument("--base", choices=("fixed", "floating"), default="fixed")
    info.add_argument(
        "--untrusted", action="store_true", help="read the file in a process that may die of it"
    )
    info.add_argument(
        "--width",
        type=int,
        metavar="N",
        help="longest line (default: the terminal's width; in a file or pipe what it takes)",
    )
    info.set_defaults(run=_info)

    view = add(
        "view",
        help="a robot and its motion in the browser, or as an HTML file",
        description="Show a robot file in the browser: shapes, frames, a slider for each joint and "
        "a motion to play. Needs the extra 'view'.",
    )
    _add_file(view, nargs="?", default="; default: the packaged arm")
    view.add_argument(
        "--motion",
        metavar="FILE.npz",
        help="configurations 'q' (T, nq) and, if there are, times 't' (T,), s; or q alone as .npy",
    )
    view.add_argument(
        "--html", metavar="FILE", help="write one file that needs no network, and serve nothing"
    )
    view.add_argument("--base", choices=("fixed", "floating"), default="fixed")
    view.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 lets other machines see (default: this one)"
    )
    view.add_argument(
        "--port", type=int, default=8080, help="or the next that is free (default: %(default)s)"
    )
    view.set_defaults(run=_view)

    ik = add(
        "ik",
        help="a configuration that brings a link to a pose",
        description="Print a configuration that brings a link of a robot to a position or a pose, "
        "by joint, within limits. The exit status is 1 where none is found.",
    )
    _add_file(ik)
    ik.add_argument("--link", metavar="NAME", help="the link to place (default: the last one)")
    ik.add_argument(
        "--position", nargs=3, type=float, required=True, metavar=("X", "Y", "Z"), help="m"
    )
    turned = ik.add_mutually_exclusive_group()
    turned.add_argument("--rpy", nargs=3, type=float, metavar=("R", "P", "Y"), help="rad")
    turned.add_argument("--quaternion", nargs=4, type=float, metavar=("W", "X", "Y", "Z"))
    ik.add_argument("--start", nargs="+", type=float, metavar="Q", help="all joints, rad and m")
    ik.add_argument("--json", action="store_true", help="as one JSON object")
    ik.set_defaults(run=_ik)


def _add_upkeep(add: _Add) -> None:
    """What looks at the installation."""
    doctor = add(
        "doctor",
        help="whether this installation works, and how to mend what does not",
        description="Build a kernel, compare the engines, look at compiler, cache, GPU and "
        "versions. The exit status is 1 where something does not work.",
    )
    doctor.set_defaults(run=_doctor)

    completion = add(
        "completion",
        help="the shell's completion of this command, as a script",
        description="Print a script for a shell. In ~/.bashrc: "
        'eval "$(robograd completion bash)"; in ~/.zshrc: eval "$(robograd completion zsh)"; '
        "for fish: robograd completion fish > ~/.config/fish/completions/robograd.fish. "
        "Needs the extra 'completion'.",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    completion.set_defaults(run=_completion)

    cache = add("cache", help="the compiled kernels on disk")
    actions = cache.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("info", help="where they are, how many, how large").set_defaults(
        run=_cache_info
    )
    actions.add_parser("clear", help="remove them all").set_defaults(run=_cache_clear)


def _add_file(
    command: argparse.ArgumentParser, nargs: Literal["?"] | None = None, default: str = ""
) -> None:
    kinds = f"URDF, MJCF or xacro (.xacro){default}"
    command.add_argument("file", nargs=nargs, metavar="FILE", help=kinds)
    _add_mappings(command)


def _add_mappings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "mappings",
        nargs="*",
        type=_mapping,
        metavar="NAME:=VALUE",
        help="arguments of a xacro file, as in ROS: arm_id:=left hand:=true",
    )


def _add_robot(command: argparse.ArgumentParser) -> None:
    files = command.add_mutually_exclusive_group()
    files.add_argument(
        "--urdf",
        metavar="FILE",
        help="a robot, also .xacro, or package://PACKAGE/PATH; default: the packaged arm",
    )
    files.add_argument(
        "--mjcf", type=Path, metavar="FILE", help="a robot; needs the extra 'mujoco'"
    )
    _add_mappings(command)


def _demo(arguments: argparse.Namespace) -> None:
    from robograd.demo import run_demo

    run_demo(
        urdf=arguments.urdf,
        mjcf=arguments.mjcf,
        link=arguments.link,
        output=arguments.output,
        seed=arguments.seed,
        mappings=arguments.mappings,
    )


def _codegen(arguments: argparse.Namespace) -> None:
    from robograd.codegen import generate

    print(
        generate(
            arguments.function,
            arguments.urdf,
            arguments.link,
            arguments.stages,
            arguments.output,
            mjcf=arguments.mjcf,
            mappings=arguments.mappings,
        )
    )


def _info(arguments: argparse.Namespace) -> None:
    from robograd.info import environment, robot_text

    if arguments.file is not None:
        given = arguments.file, arguments.base, arguments.width, arguments.untrusted
        print(robot_text(*given, arguments.mappings))
        return
    rows = environment()
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")


def _view(arguments: argparse.Namespace) -> None:
    from robograd.viewer.command import view

    view(
        arguments.file,
        arguments.motion,
        arguments.html,
        base=arguments.base,
        mappings=arguments.mappings,
        host=arguments.host,
        port=arguments.port,
    )


def _ik(arguments: argparse.Namespace) -> int:
    from robograd.ik import solve

    text, converged = solve(
        arguments.file,
        arguments.link,
        arguments.position,
        rpy=arguments.rpy,
        quaternion=arguments.quaternion,
        start=arguments.start,
        mappings=arguments.mappings,
        as_json=arguments.json,
    )
    print(text)
    return 0 if converged else 1


def _bench(arguments: argparse.Namespace) -> None:
    from robograd.bench import bench

    bench(arguments.file, arguments.link, arguments.batch, arguments.mappings)


def _doctor(_: argparse.Namespace) -> int:
    faults = 0
    for finding in examine():
        print(finding, flush=True)
        faults += finding.fault
    return 1 if faults else 0


def _completion(arguments: argparse.Namespace) -> None:
    from robograd.completion import script

    print(script(_parser(), arguments.shell))


def _cache_info(_: argparse.Namespace) -> None:
    from robograd.info import describe

    print(describe(cache.info()))


def _cache_clear(_: argparse.Namespace) -> None:
    from robograd.info import describe

    print(f"removed {describe(cache.clear())}")
