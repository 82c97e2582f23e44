"""Which faults come when: drawn from a seed, so that a schedule can be had again."""

import random
from dataclasses import dataclass

# The job manager takes its jobs up again when it is started anew on its store.
JOB_MANAGER_RESTARTS = True

HEARTBEAT_TIMEOUT_S = 3.0

# Kinds by weight. What is in the way is given by the kind's first word: at most one fault of each is on at a time.
ANYWHERE = {
    "kill task-manager": 4,
    "pause task-manager long": 2,
    "pause task-manager short": 2,
    "pause job-manager short": 1,
    "pause job-manager long": 1,
    "database cut": 1,
    "database slow": 1,
    "database silent": 1,
    "database reset": 1,
    "database restart": 2,
    "disk ENOSPC": 2,
    "disk EIO": 1,
    "disk EROFS": 1,
    "disk EDQUOT": 1,
    "descriptors EMFILE": 1,
    "clock day-on": 1,
    "clock day-back": 1,
}
ON_S3 = {
    "s3 cut": 3,
    "s3 slow": 3,
    "s3 narrow": 2,
    "s3 silent": 3,
    "s3 reset": 3,
    "s3 torn": 3,
    "s3 restart": 3,
}
# Seconds from a fault's beginning to its end.
DURATIONS = {
    "kill task-manager": (0.2, 2.0),
    "pause task-manager long": (HEARTBEAT_TIMEOUT_S + 1, HEARTBEAT_TIMEOUT_S + 4),
    "pause task-manager short": (0.1, HEARTBEAT_TIMEOUT_S / 2),
    "pause job-manager long": (HEARTBEAT_TIMEOUT_S + 1, HEARTBEAT_TIMEOUT_S + 4),
    "pause job-manager short": (0.1, HEARTBEAT_TIMEOUT_S / 2),
    "kill job-manager": (0.2, 4.0),
}
OTHER_DURATION = (0.3, 6.0)
PAUSE_S = (0.3, 5.0)


@dataclass(frozen=True)
class Fault:
    kind: str
    start_s: float
    end_s: float
    choice: int  # which task manager, which process: whatever the kind has to choose

    def __str__(self) -> str:
        return f"{self.start_s:7.2f} s – {self.end_s:7.2f} s  {self.kind} ({self.choice})"

    @property
    def group(self) -> str:
        return " ".join(self.kind.split()[1:2] if self.kind.startswith(("kill", "pause")) else self.kind.split()[:1])


def draw(seed: int, count: int, on_s3: bool) -> list[Fault]:
    """`count` faults in the order of their beginnings. Faults of different groups overlap."""
    chance = random.Random(f"{seed} {on_s3}")
    weights = {**ANYWHERE, **(ON_S3 if on_s3 else {})}
    if JOB_MANAGER_RESTARTS:
        weights["kill job-manager"] = 3
    free_at: dict[str, float] = {}
    faults: list[Fault] = []
    now = 0.0
    while len(faults) < count:
        kind = chance.choices(list(weights), list(weights.values()))[0]
        duration = chance.uniform(*DURATIONS.get(kind, OTHER_DURATION))
        fault = Fault(kind, now, now + duration, chance.randrange(1 << 16))
        now += chance.uniform(*PAUSE_S)
        if free_at.get(fault.group, 0.0) > fault.start_s:
            continue
        free_at[fault.group] = fault.end_s + 1
        faults.append(fault)
    return faults
