"""
tests/bench/plot.py
    Draw what "make bench" measured, for docs/performance.md.

    plot.py [--results build/bench/results] [--out docs/performance.svg]
            [--caption TEXT]

Reads the JSON lines that compare.py and end_to_end.py leave, the latest of
each kind, two threads.  One picture that follows the reader's light or dark
setting.  Bars are medians; the line on a bar goes from minimum to maximum.
The ratio is the median of the turns' ratios.
"""

import argparse
import json
import os
import statistics
from html import escape

WIDTH, LEFT, RIGHT = 760, 178, 132
BAR, GAP, HEAD, PANEL_GAP = 15, 7, 26, 20
NAMES = {"mmrd": "mmrd, float32", "mmrd bfloat16": "mmrd, bfloat16",
         "torch eager": "PyTorch, eager",
         "torch frozen": "PyTorch, frozen", "onnx session": "ONNX Runtime",
         "torch train": "PyTorch"}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.note { fill: #59636e; }
.own { fill: #2f6f9f; } .half { fill: #6aa5cf; } .peer { fill: #b6bec7; }
.part { fill: #d68a3c; }
.range { stroke: #1f2328; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .note { fill: #9198a1; }
  .own { fill: #4f9bd0; } .half { fill: #2f6690; } .peer { fill: #59636e; }
  .part { fill: #c77b30; }
  .range { stroke: #e6edf3; }
}
"""


def read_lines(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file]


def colour(name):
    if name == "mmrd":
        return "own"
    return "half" if name.startswith("mmrd") else "peer"


def compared(folder, threads):
    """[(title, [(label, class, [ms]), ...])], the latest of each kind."""
    panels = {}
    for line in read_lines(folder, "compare.jsonl"):
        if line["threads"] != threads or "arch" not in line:
            continue
        for mode in ("score", "train"):
            if mode not in line:
                continue
            what = "A score" if mode == "score" else "A training step"
            title = f"{what}, {line['arch']}"
            panels[mode, line["arch"]] = (title, [
                (NAMES.get(name, name), colour(name),
                 [s * 1e3 for s in seconds])
                for name, seconds in line[mode].items()])
    return [panels[key] for key in sorted(panels)]


def in_sql(folder, threads):
    """The same for the way through SQL, beside the network alone."""
    panels = {}
    for line in read_lines(folder, "end_to_end.jsonl"):
        about = line["about"]
        if about["threads"] != threads or about["precision"] != "float32":
            continue
        panels[about["arch"]] = (
            f"A scan in SQL, {about['arch']}, two PNGs of 512 x 512",
            [(name, "own" if name.startswith("network") else "part",
              [turn[name][0] for turn in line["turns"]])
             for name in line["turns"][0]])
    return [panels[key] for key in sorted(panels)]


def draw_panel(title, bars, y):
    room = WIDTH - LEFT - RIGHT
    scale = room / max(max(ms) for _, _, ms in bars)
    out = [f'<text class="title" x="0" y="{y + 14}">{escape(title)}</text>']
    y += HEAD
    for label, kind, ms in bars:
        middle = statistics.median(ms)
        ratio = statistics.median(a / b for a, b in zip(ms, bars[0][2]))
        centre = y + BAR / 2
        out.append(f'<text x="{LEFT - 8}" y="{centre + 4}" '
                   f'text-anchor="end">{escape(label)}</text>')
        out.append(f'<rect class="{kind}" x="{LEFT}" y="{y}" '
                   f'width="{middle * scale:.1f}" height="{BAR}" rx="2"/>')
        out.append(f'<line class="range" x1="{LEFT + min(ms) * scale:.1f}" '
                   f'x2="{LEFT + max(ms) * scale:.1f}" '
                   f'y1="{centre}" y2="{centre}"/>')
        out.append(f'<text class="note" x="{WIDTH - RIGHT + 10}" '
                   f'y="{centre + 4}">{middle:.1f} ms, '
                   f'{ratio:.2f}</text>')
        y += BAR + GAP
    return out, y + PANEL_GAP


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", default="build/bench/results")
    parser.add_argument("--out", default="docs/performance.svg")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--caption", default="")
    args = parser.parse_args()
    panels = compared(args.results, args.threads) + in_sql(args.results,
                                                           args.threads)
    if not panels:
        raise SystemExit(f"nothing was measured yet: {args.results} is empty")
    body, y = [], 4
    for title, bars in panels:
        lines, y = draw_panel(title, bars, y)
        body += lines
    note = ("Milliseconds per scan, and how many times the first bar of its "
            "group.")
    for text in [note, args.caption]:
        body.append(f'<text class="note" x="0" y="{y}">{escape(text)}</text>')
        y += 17
    with open(args.out, "w") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" '
                   f'viewBox="0 0 {WIDTH} {y + 10}" width="{WIDTH}" '
                   f'height="{y + 10}" role="img">\n'
                   f'<title>{escape(note)}</title>\n<style>{STYLE}</style>\n'
                   + "\n".join(body) + "\n</svg>\n")
    print(f"{args.out}: {len(panels)} groups")


if __name__ == "__main__":
    main()
