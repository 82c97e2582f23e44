"""What must be true after a run, found out without Leat's code: by pypaimon, by tests/paimon_check, by the server."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from lab import tables
from lab.cluster import ROOT, LabError, wait_until

if TYPE_CHECKING:
    from faults.world import World

TABLES = ("clients", "orders", "country_sales")
MOVING = {"Here", "There"}
CATCH_UP_S = 120
STILL_S = 3
# A process that says more than this in a second has lost count of what it has said already.
LINES_A_SECOND_MAX = 100
NEVER_SAID = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:|assertion|corrupt", re.I)


class Untrue(Exception):
    """The text says what."""


def paimon_check(world: "World", command: str, table: str, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "paimon_check", command, str(world.house / "default.db" / table), *args],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Untrue(f"paimon_check {command} {table}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def sales(world: "World") -> dict[str, tuple[int, int]]:
    """Merged by the reader that knows sums; pypaimon 1.3 does not."""
    rows = [json.loads(line) for line in paimon_check(world, "read", "country_sales", "--json").splitlines()]
    return {row[-3]: (int(row[-2]), int(row[-1])) for row in rows}


def clients_in_house(world: "World") -> list[list[str]]:
    return sorted([str(value) for value in row.values()] for row in tables.read(world.house, "default.clients"))


def clients_on_server(world: "World") -> list[list[str]]:
    return sorted(world.mariadb.sql("SELECT client_id, full_name, country, zip FROM shop.clients"))


def wait_until_counted(world: "World") -> None:
    def counted() -> int:
        return sum(orders_count for _, orders_count in sales(world).values())

    seen = 0

    def all_counted() -> bool:
        nonlocal seen
        try:
            seen = counted()
        except Untrue:
            return False  # a file that was expired while it was read
        return seen >= world.setting.orders

    try:
        wait_until("all orders are counted", CATCH_UP_S, all_counted, pause=1)
    except LabError as error:
        raise Untrue(f"{error}: {seen} of {world.setting.orders}") from error
    same = f"{len(clients_on_server(world))} clients are those of the server"
    wait_until(same, CATCH_UP_S, lambda: clients_in_house(world) == clients_on_server(world), pause=1)
    time.sleep(STILL_S)  # what is counted twice may come late


def check(world: "World") -> None:
    orders = tables.read(world.house, "default.orders")
    check_orders(orders, world.setting.orders)
    on_server, in_house = clients_on_server(world), clients_in_house(world)
    if on_server != in_house:
        raise Untrue(f"clients: server and house differ: {difference(on_server, in_house)}")
    check_sales(orders, {int(row[0]): row[2] for row in on_server}, sales(world))
    for table in TABLES:
        paimon_check(world, "verify", table, "--deep")


def difference(left: list[list[str]], right: list[list[str]]) -> str:
    only_left, only_right = [row for row in left if row not in right], [row for row in right if row not in left]
    return f"only on the server {only_left[:5]}, only in the house {only_right[:5]}"


def check_orders(orders: list[dict[str, Any]], wanted: int) -> None:
    times = Counter(row["order_id"] for row in orders)
    missing = [number for number in range(1, wanted + 1) if number not in times]
    doubled = [number for number, seen in times.items() if seen > 1]
    if missing or doubled or len(times) != wanted:
        raise Untrue(f"orders: {len(missing)} missing {missing[:5]}, {len(doubled)} doubled {doubled[:5]}, of {wanted}")


def check_sales(orders: list[dict[str, Any]], countries: dict[int, str], found: dict[str, tuple[int, int]]) -> None:
    """Each country's sums; of the two that clients move between, together."""

    def place(country: str) -> str:
        return "moving" if country in MOVING else country

    revenue: Counter[str] = Counter()
    number: Counter[str] = Counter()
    for row in orders:
        revenue[place(countries[row["client_id"]])] += row["amount"]
        number[place(countries[row["client_id"]])] += 1
    wanted = {country: (revenue[country], number[country]) for country in number}
    summed: dict[str, tuple[int, int]] = {}
    for country, (paid, seen) in found.items():
        before = summed.get(place(country), (0, 0))
        summed[place(country)] = (before[0] + paid, before[1] + seen)
    if summed != wanted:
        wrong = {
            key: (summed.get(key), wanted.get(key)) for key in wanted | summed if summed.get(key) != wanted.get(key)
        }
        raise Untrue(f"country_sales, found and recounted: {wrong}")


def check_logs(world: "World", seconds: float) -> None:
    """Nothing was said that must not be, and nothing a thousand times."""
    for path in sorted((world.cluster.folder / "log").glob("*")):
        lines = path.read_text(errors="replace").splitlines()
        bad = [line for line in lines if NEVER_SAID.search(line)]
        world.trouble += [f"{path.name}: {line}" for line in bad[:3]]
        second, most = Counter(line[:19] for line in lines).most_common(1)[0] if lines else ("", 0)
        if most > LINES_A_SECOND_MAX:
            world.trouble.append(
                f"{path.name}: {most} lines in the second {second}, of {len(lines)} in {seconds:.0f} s"
            )
