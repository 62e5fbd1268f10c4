"""Mathematical functions of scalars and vectors, as expressions.

The elementwise functions act entry by entry. The rest are compositions of primitives, so all of
them have exact derivatives of every order on every engine.
"""

from __future__ import annotations

from ad_core.ops import compositions, elementwise, linalg
from ad_core.ops.compositions import *  # noqa: F403
from ad_core.ops.elementwise import *  # noqa: F403
from ad_core.ops.linalg import *  # noqa: F403

quadratric = linalg.quadratic  # as Klampt spells it

__all__: list[str] = ["quadratric"]
__all__ += compositions.__all__
__all__ += elementwise.__all__
__all__ += linalg.__all__
