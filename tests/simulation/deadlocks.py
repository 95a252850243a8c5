"""Random channel topologies, half with a planted cycle: `python tests/simulation/deadlocks.py --topologies 1000`.

The members of a planted cycle (2 to 10) wait for each other, on empty channels or on full ones. Beside them: slow
peers, waits with a time limit, and waits for somebody outside, which are no deadlock.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
from contextlib import suppress

sys.path[:0] = ["src"]

from remit.errors import Exhausted  # noqa: E402  # the checkout's own package first
from remit.teams.coordination.channels import Channel  # noqa: E402
from remit.teams.coordination.waits import DeadlockError, WaitGraph  # noqa: E402


class Scene:
    """One topology: a ring of waiting members, a slow pipeline, and waits that have a waker outside."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = random.Random(seed)
        self.graph = WaitGraph()
        self.members = [f"m{i}" for i in range(dice.randint(2, 10))] if seed % 2 else []
        dice.shuffle(self.members)
        self.slow = [f"s{i}" for i in range(dice.randint(2, 8))]
        self.full = dice.random() < 0.5
        self.ring = [
            Channel(int, name=f"to {b}", bound=dice.randint(1, 3), graph=self.graph, senders=[a], receivers=[b])
            for a, b in itertools.pairwise([*self.members, *self.members[:1]])
        ]
        self.pipes = [
            Channel(int, name=f"to {b}", bound=1, graph=self.graph, senders=[a], receivers=[b])
            for a, b in itertools.pairwise(self.slow)
        ]
        self.timed = Channel(int, name="timed", graph=self.graph, senders=["t2"], receivers=["t1"])
        self.person = Channel(int, name="person", graph=self.graph, receivers=["t2"])

    async def pause(self, most: int) -> None:
        """Let others go first, for a while."""
        for _ in range(self.dice.randint(0, most)):
            await asyncio.sleep(0)

    async def member(self, at: int) -> None:
        """Fill the channel ahead for ever, or wait for the one behind."""
        me = self.members[at]
        self.graph.add(me, self.dice.randint(0, 255))
        await self.pause(3)
        while self.full:
            await self.ring[at].send(1, party=me)
        await self.ring[at - 1].receive(party=me)

    async def stage(self, at: int) -> None:
        """A slow stage of the pipeline."""
        me = self.slow[at]
        for number in range(3):
            value = number if at == 0 else await self.pipes[at - 1].receive(party=me)
            await self.pause(4)
            if at < len(self.slow) - 1:
                await self.pipes[at].send(value, party=me)

    async def outside(self, me: str, pipe: Channel[int], limit: float | None) -> None:
        """A wait that a timer or a person ends."""
        with suppress(Exhausted):
            await pipe.receive(party=me, timeout_s=limit)

    async def play(self) -> list[str]:
        """What is wrong at the end."""
        parts = [*(self.member(i) for i in range(len(self.members))), *(self.stage(i) for i in range(len(self.slow))),
                 self.outside("t1", self.timed, 0.01), self.outside("t2", self.person, None)]  # fmt: skip
        tasks = [asyncio.create_task(part) for part in parts]
        for _ in range(200):
            await asyncio.sleep(0)
        planted = [set(self.members)] if self.members else []
        found = [set(error.cycle) for error in self.graph.found]
        wrong = [] if found == planted else [f"found {found}, planted {planted}"]
        for error in self.graph.found:
            if self.graph.parties[error.victim].priority > min(self.graph.parties[n].priority for n in error.cycle):
                wrong.append(f"victim {error.victim}")
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        return wrong + [repr(e) for e in ends if isinstance(e, Exception) and not isinstance(e, DeadlockError)]


async def one(seed: int) -> list[str]:
    """What is wrong with one topology."""
    return [f"seed {seed}: {problem}" for problem in await Scene(seed).play()]


def main() -> int:
    """Print the counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--topologies", type=int, default=1_000)
    count = parser.parse_args().topologies
    wrong = [problem for seed in range(count) for problem in asyncio.run(one(seed))]
    print(f"{count} topologies, {count // 2} with a planted cycle of 2 to 10: {len(wrong)} missed or false alarms")
    print(*wrong[:10], sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
