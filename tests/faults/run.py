"""One run: a lab, a schedule of faults from a seed, and what must be true at its end."""

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from lab.cluster import LabError, wait_until

from faults import oracle
from faults.schedule import Fault, draw
from faults.world import JOBS, Setting, World


@dataclass
class Outcome:
    seed: int
    is_on_s3: bool
    faults: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    seconds: float = 0.0
    caught_up_s: float = 0.0  # from healing until all was counted


def setting_of(seed: int, is_on_s3: bool, last_s: float) -> Setting:
    chance = random.Random(seed)
    rate = chance.choice([50, 200, 500])
    return Setting(is_on_s3, chance.randint(1, 3), chance.choice([0, 3]), rate, int(rate * (last_s + 3)))


def carry_out(world: World, faults: list[Fault], start: float, watch: Callable[[], None]) -> None:
    """Begins and ends each at its time."""
    order = count()
    queue: list[tuple[float, int, str, Fault | None, Callable[[], None] | None]] = []
    for fault in faults:
        heapq.heappush(queue, (fault.start_s, next(order), fault.kind, fault, None))
    next_look = 0.0
    while queue:
        now = time.monotonic() - start
        if now >= next_look:
            watch()
            next_look = now + 1
        if now < queue[0][0]:
            time.sleep(min(0.1, queue[0][0] - now))
            continue
        _, _, kind, begins, ends = heapq.heappop(queue)
        if begins:
            world.say(f"{now:7.2f} s  {kind}")
            heapq.heappush(queue, (max(begins.end_s, now), next(order), kind, None, world.begin(begins)))
        elif ends:
            ends()
            world.say(f"{time.monotonic() - start:7.2f} s  end of {kind}")


def run(
    build: Path,
    folder: Path,
    say: Callable[[str], None],
    *,
    seed: int,
    faults_count: int,
    is_on_s3: bool,
    watch: Callable[[World], None] = lambda _: None,
) -> Outcome:
    faults = draw(seed, faults_count, is_on_s3)
    last_s = max(fault.end_s for fault in faults)
    setting = setting_of(seed, is_on_s3, last_s)
    say(f"seed {seed}: {setting}")
    for fault in faults:
        say(f"  {fault}")
    began = time.monotonic()
    outcome = Outcome(seed, is_on_s3, Counter(fault.kind for fault in faults))
    world = World(build, folder, setting, say)
    try:
        world.start()
        say(f"the lab runs after {time.monotonic() - began:.1f} s")
        carry_out(world, faults, time.monotonic(), lambda: watch(world))
        healed = time.monotonic()
        end_well(world, lambda: watch(world))
        outcome.caught_up_s = time.monotonic() - healed
        say(f"all is counted {outcome.caught_up_s:.1f} s after the last fault")
        oracle.check(world)
    except (LabError, oracle.Untrue, OSError) as error:
        world.trouble.append(str(error) or type(error).__name__)
    finally:
        world.stop()
    oracle.check_logs(world, time.monotonic() - began)
    outcome.trouble, outcome.seconds = world.trouble, time.monotonic() - began
    return outcome


def end_well(world: World, look: Callable[[], None]) -> None:
    """Everything is healed: the orders come to their end, and all that stands in the tables is counted."""
    world.ended.set()
    world.changer.join()

    def is_finished() -> bool:
        look()
        return world.state("orders") in ("FINISHED", "FAILED", "CANCELED")

    wait_until("the orders come to their end", 120, is_finished, pause=0.5)
    states = {name: world.state(name) for name in JOBS}
    if states != {"orders": "FINISHED", "sync": "RUNNING", "sales": "RUNNING"}:
        raise oracle.Untrue(f"the jobs' states are {states}")
    oracle.wait_until_counted(world)
