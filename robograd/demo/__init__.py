"""The demonstration behind ``robograd demo``: one robot graph, put to work by three engines.

URDF -> `subject` -> `throughput` (kernel), `training` (torch), `swing` (CasADi) -> `picture`
"""

from robograd.demo.endpoints import SwingTask, choose_swing
from robograd.demo.run import Settings, run_demo
from robograd.demo.subject import Subject, choose_subject
from robograd.demo.swing import Motion, Swing, solve_swing

__all__ = [
    "Motion",
    "Settings",
    "Subject",
    "Swing",
    "SwingTask",
    "choose_subject",
    "choose_swing",
    "run_demo",
    "solve_swing",
]
