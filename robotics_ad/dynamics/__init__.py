"""Forces, masses and energies of a robot, as functions of its state.

Each class takes a `RobotModel` and is a function of `q`, `v` and more, named in its docstring.
"""

from robotics_ad.dynamics.energy import CenterOfMass, KineticEnergy, PotentialEnergy
from robotics_ad.dynamics.forward import ForwardDynamics
from robotics_ad.dynamics.inverse import GRAVITY, InverseDynamics
from robotics_ad.dynamics.mass_matrix import MassMatrix

__all__ = [
    "GRAVITY",
    "CenterOfMass",
    "ForwardDynamics",
    "InverseDynamics",
    "KineticEnergy",
    "MassMatrix",
    "PotentialEnergy",
]
