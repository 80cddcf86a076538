"""
tests/bench/compare.py
    mmrd and its peers on one case, taking turns (A B C A B C ...), so that
    what else the machine does meets all of them alike.

    compare.py DIR [--threads 2] [--runs 7] [--modes score,train]
               [--batch 16]

Prints, for scoring and for a training step, each one's median, minimum and
maximum, and the ratio of mmrd to it: the median of the ratios of the turns.
Appends what was measured to build/bench/results as JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

# Before each run: idle pools of the others spin for a while before they sleep.
PAUSE_SECONDS = 0.5
HERE = os.path.dirname(os.path.abspath(__file__))


class Peer:
    """A program that makes one run for each line it is sent."""

    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.about = json.loads(line) if line.strip() else {}
        self.ready = "ready" in self.about
        if not self.ready:
            print(f"{name}: not compared: "
                  f"{self.about.get('skipped', 'it ended')}")

    def seconds(self, mode):
        self.process.stdin.write(mode + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["seconds"]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def start(args):
    threads = str(args.threads)
    peers = [Peer("mmrd", ["build/bench/bench_case", args.folder, threads,
                           str(args.batch)])]
    if not peers[0].ready:
        sys.exit("mmrd did not start")
    modes = ["eager", "frozen"] * ("score" in args.modes)
    modes += ["train"] * ("train" in args.modes)
    peers.append(Peer("torch", [sys.executable,
                                os.path.join(HERE, "torch_peer.py"),
                                args.folder, "--threads", threads, "--serve",
                                "--batch", str(args.batch),
                                "--modes", ",".join(modes)]))
    if os.path.exists(os.path.join(args.folder, "model.onnx")):
        peers.append(Peer("onnx", ["node", os.path.join(HERE, "onnx_peer.mjs"),
                                   args.folder, "--threads", threads,
                                   "--serve"]))
    return [p for p in peers if p.ready]


def take_turns(pairs, runs):
    """{label: [seconds]}; the first turn only warms up."""
    taken = {label: [] for label, _, _ in pairs}
    for turn in range(runs + 1):
        for label, peer, mode in pairs:
            time.sleep(PAUSE_SECONDS)
            seconds = peer.seconds(mode)
            if turn > 0:
                taken[label].append(seconds)
    return taken


def show(title, taken):
    own = taken["mmrd"]
    half = taken.get("mmrd bfloat16")
    print(f"\n{title}, seconds per scan")
    print(f"{'':14}{'median':>10}{'min':>10}{'max':>10}{'mmrd/it':>10}"
          f"{'bf16/it' if half else '':>10}")
    for label, seconds in taken.items():
        ratio = statistics.median(a / b for a, b in zip(own, seconds))
        ratio16 = (f"{statistics.median(a / b for a, b in zip(half, seconds)):10.2f}"
                   if half else "")
        print(f"{label:14}{statistics.median(seconds):10.4f}"
              f"{min(seconds):10.4f}{max(seconds):10.4f}{ratio:10.2f}{ratio16}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--modes", default="score,train")
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    args.modes = args.modes.split(",")

    peers = start(args)
    about = peers[0].about
    print(f"{about['arch']}, {args.threads} threads, {about['version']}: "
          f"model {about['model_mb']} MB, working memory "
          f"{about['work_mb']} MB, map within {about['map_error']:.1e}; "
          f"bfloat16: {about['bfloat16_model_mb']} MB, map within "
          f"{about['bfloat16_map_error']:.1e}")
    results = {"about": [p.about for p in peers], "threads": args.threads,
               "arch": about["arch"], "batch": args.batch}
    for mode in args.modes:
        pairs = []
        for peer in peers:
            for m in peer.about["ready"]:
                if (m == "train") == (mode == "train"):
                    label = peer.name if peer.name == "mmrd" and (
                        m != "bfloat16") else f"{peer.name} {m}"
                    pairs.append((label, peer, m))
        taken = take_turns(pairs, args.runs)
        what = mode if mode == "score" else f"training step of {args.batch}"
        show(f"{about['arch']}, {args.threads} threads, {what}", taken)
        results[mode] = taken
    for peer in peers:
        peer.end()
    os.makedirs("build/bench/results", exist_ok=True)
    with open("build/bench/results/compare.jsonl", "a") as file:
        file.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
