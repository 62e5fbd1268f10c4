r"""Train through a robot layer on two processes (gloo, CPU) with DistributedDataParallel.

Run: torchrun --nproc-per-node 2 examples/23_ddp.py
or:  python examples/23_ddp.py, which starts the two processes itself;
or on each of two machines, of which the first is HOST:
    torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint HOST:29500 \
        examples/23_ddp.py
"""

import os
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from bridges.pytorch import ad_to_torch
from robotics_ad import packaged_arm
from robotics_ad.kinematics import WorldPosition


def train(rank: int, world: int, epochs: int = 8) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    kinematics = ad_to_torch(WorldPosition(packaged_arm().link("tool")))
    with torch.no_grad():
        targets = kinematics(0.5 * torch.randn(1024, 7))
    net = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 7), kinematics)
    model = DistributedDataParallel(net)
    data = TensorDataset(targets)
    sampler = DistributedSampler(data, world, rank, seed=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = last = 0.0
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        total = torch.zeros(())
        for (target,) in DataLoader(data, batch_size=64, sampler=sampler):
            optimizer.zero_grad()
            loss = (model(target) - target).square().sum(-1).mean()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        dist.all_reduce(total)
        last = total.item()
        first = first or last
    weights = torch.cat([p.detach().flatten() for p in net.parameters()])
    others = [torch.empty_like(weights) for _ in range(world)]
    dist.all_gather(others, weights)
    if rank == 0:
        print(f"{world} processes: loss {first:.3f} in the first epoch, {last:.3f} in the last")
    if not all(torch.equal(weights, other) for other in others):
        raise SystemExit("the processes' weights differ")
    if last > first / 5:
        raise SystemExit("the loss did not fall fivefold")


def start(rank: int, world: int, meeting_point: str) -> None:
    dist.init_process_group("gloo", f"file://{meeting_point}", rank=rank, world_size=world)
    train(rank, world)
    dist.destroy_process_group()


def main(world: int = 2) -> None:
    if "RANK" in os.environ:  # started by torchrun
        dist.init_process_group("gloo")
        train(dist.get_rank(), dist.get_world_size())
        dist.destroy_process_group()
        return
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(start, args=(world, os.path.join(folder, "meeting")), nprocs=world)


if __name__ == "__main__":
    main()
