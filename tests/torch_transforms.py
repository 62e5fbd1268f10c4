"""Transforms of torch by name: what each makes of a function and inputs; what torch refuses."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

TOGETHER = {"rtol": 1e-10, "atol": 1e-10}


def straight(layer):
    """The layer's torch code as a function."""
    return lambda *inputs: layer._run.straight(inputs)[0]


def squared(f):
    return lambda *a: (f(*a) ** 2).sum()


def one(inputs):
    return tuple(x[0] for x in inputs)


def batched_vmap(f, a):
    return vmap(f, in_dims=(0, *(None,) * (len(a) - 1)))(a[0], *(x[0] for x in a[1:]))


def grad_of_vmap(f, a):
    return grad(lambda *b: (vmap(f)(*b) ** 2).sum())(*a)


def dual(f, a):
    with forward_ad.dual_level():
        out = f(forward_ad.make_dual(a[0], a[0]), *a[1:])
        return forward_ad.unpack_dual(out).tangent


def leaves(a):
    return tuple(x.clone().requires_grad_() for x in a)


def backward(f, a):
    a = leaves(a)
    return torch.autograd.grad((f(*a) ** 2).sum(), a)[0]


def double_backward(f, a):
    a = leaves(a)
    (first,) = torch.autograd.grad((f(*a) ** 2).sum(), a[0], create_graph=True)
    return torch.autograd.grad((first**2).sum(), a[0])[0]


def batched_grads(f, a):
    a = leaves(a)
    out = f(*a)
    basis = torch.stack([torch.ones_like(out), out.detach()])
    return torch.autograd.grad(out, a[0], basis, is_grads_batched=True)[0]


INSIDE = {
    "value": lambda f, a: f(*a),
    "grad": lambda f, a: grad(squared(f))(*a),
    "vjp": lambda f, a: vjp(f, *a)[1](f(*a))[0],
    "jacrev": lambda f, a: jacrev(f)(*a),
    "vmap": lambda f, a: vmap(f)(*a),
    "vmap, some inputs held": batched_vmap,
    "vmap(vmap)": lambda f, a: vmap(vmap(f))(*(x.expand(2, *x.shape) for x in a)),
    "vmap(grad)": lambda f, a: vmap(grad(squared(f)))(*a),
    "grad(vmap)": grad_of_vmap,
    "vmap(jacrev)": lambda f, a: vmap(jacrev(f))(*a),
    "jvp": lambda f, a: jvp(f, a, a)[1],
    "jacfwd": lambda f, a: jacfwd(f)(*one(a)),
    "hessian": lambda f, a: hessian(squared(f))(*one(a)),
    "jacfwd(jacrev)": lambda f, a: jacfwd(jacrev(f))(*one(a)),
    "jacrev(jacrev)": lambda f, a: jacrev(jacrev(f))(*one(a)),
    "jvp(grad)": lambda f, a: jvp(grad(squared(f)), a, a)[1],
    "dual numbers": dual,
}
AROUND = {
    "backward": backward,
    "double backward": double_backward,
    "batched gradients": batched_grads,
    "vmap around": lambda f, a: vmap(f)(*a),
    "jvp around": lambda f, a: jvp(f, a, a)[1],
    "dual numbers around": dual,
}
"""Transforms of torch.func and forward mode go inside the compiled function (`INSIDE`) or around
it; autograd's own go around it."""

EAGER = INSIDE | AROUND

_QUICK = {"value", "vjp", "vmap", "jvp", "hessian", "double backward", "vmap around"}
FEW = tuple(t if t in _QUICK else pytest.param(t, marks=pytest.mark.slow) for t in EAGER)
"""Each kind once, for layers whose compilation others have under every transform."""

NO_TRANSFORM_AROUND = (torch._dynamo.exc.Unsupported, "[Uu]nsupported functorch tracing")
NO_DOUBLE = (RuntimeError, "does not currently support double backward")

REFUSED_BY_TORCH = {
    "double backward": NO_DOUBLE,
    "vmap around": NO_TRANSFORM_AROUND,
    "jvp around": NO_TRANSFORM_AROUND,
}
