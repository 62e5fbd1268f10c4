"""The demonstration behind ``robograd demo``: one robot graph, put to work by three engines.

URDF -> `subject` -> `throughput` (kernel), `training` (torch), `swing` (CasADi) -> `picture`
"""

from robograd.demo.run import Settings, run_demo
from robograd.demo.subject import Subject, choose_subject

__all__ = ["Settings", "Subject", "choose_subject", "run_demo"]
