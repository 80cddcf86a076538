"""
tests/bench/end_to_end.py
    A scan in SQL against the network alone, by turns in one run.

    end_to_end.py [--arch resnet18] [--threads 2] [--runs 5] [--scans 40]
                  [--precision float32] [--keep]

--keep leaves the server running for the next call with the same scans and
model; remove it with scripts/cluster remove build/bench/server.

In each turn: the core's program bench_score, which has its input ready in
memory; SELECT mmrd_score(rgb, aux) over all scans of a table; then the same
scans from the queue, with CALL mmrd_drain() and with mmrd_score_pending(),
which also write results.  Milliseconds per scan, a statement's time divided
by its scans, the network's the mean of as many runs; the first turn only
warms up.  The ratio to the network is the median of the turns' ratios.

Then what the server itself says of where the time of a scan went
(mmrd_timing()), medians of the turns.
"""

import argparse
import json
import os
import re
import statistics
import subprocess

from bench_server import Server

PARTS = ["read", "decode", "resize", "network", "map", "encode"]
NETWORK, SELECT, DRAIN, PENDING = ("network alone", "SELECT mmrd_score",
                                   "CALL mmrd_drain", "mmrd_score_pending")


def network_ms(args):
    said = subprocess.run(
        ["build/bench/bench_score", args.arch, str(args.threads),
         str(args.scans), args.precision], check=True, text=True,
        stdout=subprocess.PIPE).stdout
    return float(re.search(r"mean ([0-9.]+)", said).group(1))


def parts_so_far(session):
    found = session.run("SELECT * FROM mmrd_timing()").split("|")
    return [float(x) for x in found]


def timed(session, sql, n):
    """Milliseconds per scan: all of it, and part by part."""
    before = parts_so_far(session)
    ms = session.ms(sql) / n
    after = parts_so_far(session)
    if after[0] - before[0] != n:
        raise SystemExit(f"{after[0] - before[0]:.0f} scans were scored "
                         f"instead of {n}: {sql}")
    return ms, [(a - b) / n for a, b in zip(after[1:], before[1:])]


def queue_again(session):
    session.run("TRUNCATE queued; INSERT INTO queued SELECT * FROM scans;"
                "CHECKPOINT")


def one_turn(session, args):
    n = args.scans
    turn = {NETWORK: (network_ms(args), None)}
    turn[SELECT] = timed(session, "SELECT sum(mmrd_score(rgb, aux)) "
                         "FROM scans", n)
    queue_again(session)
    turn[DRAIN] = timed(session, "CALL mmrd_drain()", n)
    queue_again(session)
    turn[PENDING] = timed(session, "SELECT mmrd_score_pending()", n)
    found = session.run("SELECT count(score) FROM mmrd.results "
                        "WHERE source = 'queued'::regclass")
    if found != str(n):
        raise SystemExit(f"{found} results instead of {n}")
    return turn


def show(turns, title):
    print(f"\n{title}, milliseconds per scan")
    print(f"{'':20}{'median':>9}{'min':>9}{'max':>9}{'/ network':>11}"
          f"{'/ its own':>11}")
    for name in turns[0]:
        ms = [t[name][0] for t in turns]
        print(f"{name:20}{statistics.median(ms):9.2f}{min(ms):9.2f}"
              f"{max(ms):9.2f}", end="")
        ratio = statistics.median(t[name][0] / t[NETWORK][0] for t in turns)
        print(f"{ratio:11.3f}", end="")
        if turns[0][name][1]:
            at = PARTS.index("network")
            own = statistics.median(
                t[name][0] / sum(t[name][1][at:at + 2]) for t in turns)
            print(f"{own:11.3f}", end="")
        print()
    print(f"\n{'of which':20}" + "".join(f"{p:>9}" for p in PARTS)
          + f"{'rest':>9}")
    for name in [n for n in turns[0] if turns[0][n][1]]:
        middle = [statistics.median(t[name][1][i] for t in turns)
                  for i in range(len(PARTS))]
        rest = statistics.median(t[name][0] - sum(t[name][1]) for t in turns)
        print(f"{name:20}" + "".join(f"{x:9.2f}" for x in middle + [rest]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scans", type=int, default=40)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    if args.scans < 8:
        parser.error("at least 8 scans: some are trained on")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the server

    server = Server(args.arch, args.scans, ["fsync=on"], args.threads,
                    args.precision, args.keep)
    try:
        session = server.connect()
        session.run("DROP TABLE IF EXISTS queued; CREATE TABLE queued (LIKE scans INCLUDING STORAGE, "
                    "PRIMARY KEY (id)); SELECT mmrd_attach('queued', 'id', "
                    "model => 'scans')")
        turns = [one_turn(session, args) for _ in range(args.runs + 1)][1:]
        session.close()
    finally:
        server.end()
    show(turns, f"{args.arch}, {args.precision}, {args.threads} threads, "
                f"{args.scans} scans of 512 x 512, {args.runs} turns")
    os.makedirs("build/bench/results", exist_ok=True)
    with open("build/bench/results/end_to_end.jsonl", "a") as file:
        file.write(json.dumps({"about": vars(args), "turns": turns}) + "\n")


if __name__ == "__main__":
    main()
