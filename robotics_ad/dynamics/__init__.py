"""Forces, masses and energies of a robot, as functions of its state.

Each class takes a `RobotModel` and is a function of `q`, `v` and more, named in its docstring.
"""

from robotics_ad.dynamics.constrained import ConstrainedDynamics, ContactForces
from robotics_ad.dynamics.contacts import ContactJacobian, FrameContact, PointContact
from robotics_ad.dynamics.energy import CenterOfMass, KineticEnergy, PotentialEnergy
from robotics_ad.dynamics.forward import ForwardDynamics
from robotics_ad.dynamics.impact import ContactImpulses, ImpactDynamics
from robotics_ad.dynamics.inverse import InverseDynamics
from robotics_ad.dynamics.mass_matrix import MassMatrix
from robotics_ad.dynamics.mass_matrix_inverse import MassMatrixInverse
from robotics_ad.dynamics.momentum import CentroidalMatrix, CentroidalMomentum
from robotics_ad.dynamics.regressor import InverseDynamicsRegressor
from robotics_ad.dynamics.robot_function import GRAVITY
from robotics_ad.dynamics.springs import JointSprings
from robotics_ad.dynamics.terms import BiasForces, CoriolisForces, GravityForces, JointFriction

__all__ = [
    "GRAVITY",
    "BiasForces",
    "CenterOfMass",
    "CentroidalMatrix",
    "CentroidalMomentum",
    "ConstrainedDynamics",
    "ContactForces",
    "ContactImpulses",
    "ContactJacobian",
    "CoriolisForces",
    "ForwardDynamics",
    "FrameContact",
    "GravityForces",
    "ImpactDynamics",
    "InverseDynamics",
    "InverseDynamicsRegressor",
    "JointFriction",
    "JointSprings",
    "KineticEnergy",
    "MassMatrix",
    "PointContact",
    "MassMatrixInverse",
    "PotentialEnergy",
]
