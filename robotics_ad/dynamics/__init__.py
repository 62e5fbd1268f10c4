"""Forces, masses and energies of a robot, as functions of its state.

Each class takes a `RobotModel` and is a function of `q`, `v` and more, named in its docstring.
"""

from robotics_ad.dynamics.actuated import ActuatedTorques
from robotics_ad.dynamics.base_parameters import base_parameters
from robotics_ad.dynamics.center_of_mass import CenterOfMassJacobian, CenterOfMassVelocity
from robotics_ad.dynamics.compliance import Compliance
from robotics_ad.dynamics.compliant_contacts import Ball, BallContact, GroundContact
from robotics_ad.dynamics.constrained import ConstrainedDynamics, ContactForces
from robotics_ad.dynamics.contacts import ContactJacobian, FrameContact, PointContact
from robotics_ad.dynamics.coriolis import CoriolisMatrix
from robotics_ad.dynamics.energy import CenterOfMass, KineticEnergy, PotentialEnergy, TotalMass
from robotics_ad.dynamics.forward import ForwardDynamics
from robotics_ad.dynamics.full import FullDynamics
from robotics_ad.dynamics.function import GRAVITY
from robotics_ad.dynamics.impact import ContactImpulses, ImpactDynamics
from robotics_ad.dynamics.inverse import InverseDynamics
from robotics_ad.dynamics.mass_matrix import MassMatrix
from robotics_ad.dynamics.mass_matrix_inverse import MassMatrixInverse
from robotics_ad.dynamics.momentum import (
    CentroidalMatrix,
    CentroidalMomentum,
    CentroidalMomentumRate,
)
from robotics_ad.dynamics.point_forces import (
    PointForceTorques,
    PointWrenchTorques,
    WrenchTorques,
)
from robotics_ad.dynamics.regressor import TO_PINOCCHIO, InverseDynamicsRegressor
from robotics_ad.dynamics.rollout import LinearizedStep, Rollout
from robotics_ad.dynamics.springs import JointSprings
from robotics_ad.dynamics.step import Step
from robotics_ad.dynamics.terms import (
    BiasForces,
    CoriolisForces,
    GeneralizedMomentum,
    GravityForces,
    JointFriction,
)
from robotics_ad.multibody.independent import BaseParameters

GravityVector = GravityForces
"""Another name of `GravityForces`, as in Klampt."""
CoriolisVector = CoriolisForces
"""Another name of `CoriolisForces`, as in Klampt."""
MassMatrixInv = MassMatrixInverse
"""Another name of `MassMatrixInverse`, as in Klampt."""
MomentumVector = GeneralizedMomentum
"""Another name of `GeneralizedMomentum`, as in Klampt."""

__all__ = [
    "GRAVITY",
    "TO_PINOCCHIO",
    "ActuatedTorques",
    "Ball",
    "BallContact",
    "BaseParameters",
    "BiasForces",
    "CenterOfMass",
    "CenterOfMassJacobian",
    "CenterOfMassVelocity",
    "CentroidalMatrix",
    "CentroidalMomentum",
    "CentroidalMomentumRate",
    "Compliance",
    "ConstrainedDynamics",
    "ContactForces",
    "ContactImpulses",
    "ContactJacobian",
    "CoriolisForces",
    "CoriolisMatrix",
    "CoriolisVector",
    "ForwardDynamics",
    "FrameContact",
    "FullDynamics",
    "GeneralizedMomentum",
    "GravityForces",
    "GravityVector",
    "GroundContact",
    "ImpactDynamics",
    "InverseDynamics",
    "InverseDynamicsRegressor",
    "JointFriction",
    "JointSprings",
    "KineticEnergy",
    "LinearizedStep",
    "MassMatrix",
    "MassMatrixInv",
    "MassMatrixInverse",
    "MomentumVector",
    "PointContact",
    "PointForceTorques",
    "PointWrenchTorques",
    "PotentialEnergy",
    "Rollout",
    "Step",
    "TotalMass",
    "WrenchTorques",
    "base_parameters",
]
