"""
tests/bench/first_score.py
    The first score of a new connection, while another session has the model
    loaded, against the next ones; and what makes it longer.

    first_score.py [--arch resnet18] [--threads 2] [--runs 8] [--preloaded]
                   [--keep]

Each run is a new connection that has looked at its table once (so that what
PostgreSQL itself reads for that is not counted) and then

    whole    scores one scan as its first act, which loads the library;
    load     or loads the library before, by LOAD 'mmrd',
    first    and then scores one scan.

"next" is the median of five more scores of the same scan, each a statement.
The parts are those of mmrd_timing(), "rest" what they do not cover: finding
the version, mapping the model, making the working memory, starting threads.
"""

import argparse
import os
import statistics

from bench_server import Server
from end_to_end import PARTS, timed

ONE = "SELECT mmrd_score(rgb, aux) FROM scans WHERE id = 0"
LOOK = "SELECT sum(length(rgb)) FROM scans WHERE id = 0"
COUNTED = 5


def with_rest(ms, parts):
    return parts + [ms - sum(parts)]


def one_run(server):
    found = {}
    session = server.connect()
    session.run(LOOK)
    found["whole"] = session.ms(ONE)
    nexts = [session.ms(ONE) for _ in range(COUNTED)]
    found["next"] = statistics.median(nexts)
    session.close()

    session = server.connect()
    session.run(LOOK)
    found["load"] = session.ms("LOAD 'mmrd'")
    session.run("SELECT * FROM mmrd_timing()")
    ms, parts = timed(session, ONE, 1)
    found["first"] = ms
    found["first parts"] = with_rest(ms, parts)
    found["next parts"] = [statistics.median(p) for p in zip(*(
        with_rest(*timed(session, ONE, 1)) for _ in range(COUNTED)))]
    session.close()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--preloaded", action="store_true")
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the server

    settings = ["shared_preload_libraries=mmrd"] * args.preloaded
    server = Server(args.arch, 8, settings, args.threads, keep=args.keep)
    try:
        holder = server.connect()  # has the model loaded all the time
        holder.run(ONE)
        runs = [one_run(server) for _ in range(args.runs + 1)][1:]
        holder.close()
    finally:
        server.end()
    print(f"\n{args.arch}, {args.threads} threads"
          f"{', preloaded' * args.preloaded}: a new connection's first score, "
          "milliseconds")
    print(f"{'':10}{'median':>9}{'min':>9}{'max':>9}")
    for name in ["whole", "next", "load", "first"]:
        ms = [r[name] for r in runs]
        print(f"{name:10}{statistics.median(ms):9.2f}{min(ms):9.2f}"
              f"{max(ms):9.2f}")
    more = [r["whole"] - r["next"] for r in runs]
    print(f"{'more':10}{statistics.median(more):9.2f}{min(more):9.2f}"
          f"{max(more):9.2f}")
    print(f"\n{'of which':10}"
          + "".join(f"{p:>9}" for p in PARTS + ["rest"]))
    for name in ["first", "next"]:
        middle = [statistics.median(x)
                  for x in zip(*(r[f"{name} parts"] for r in runs))]
        print(f"{name:10}" + "".join(f"{x:9.2f}" for x in middle))


if __name__ == "__main__":
    main()
