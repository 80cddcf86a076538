#!/usr/bin/env python3
"""tests/golden/make_metrics.py
      Reference numbers for AUROC, average precision, F1 and AUPRO.

Written from the definitions, not from the C code, and slow on purpose: every
threshold is tried, every region counted anew at each of them.  Needs numpy
and scipy (scipy only for labelling).  Prints tests/golden/metrics.txt:

    python3 tests/golden/make_metrics.py > tests/golden/metrics.txt

Format, one item per line: "scores NAME N", then N lines "score label", then
"auroc ap f1 threshold"; "maps NAME N H W", then for each map one line of
H*W values and one of H*W mask digits ("-" for no mask), then a line
"n_regions auroc ap" and one of "limit aupro" pairs.  nan is written nan.
"""
import platform
import sys

import numpy as np
import scipy
from scipy import ndimage

LIMITS = (0.3, 0.05, 0.01, 0.5, 1.0)


def ranking(scores, labels):
    """AUROC by comparing all pairs; AP and F1 by trying each threshold."""
    scores = np.asarray(scores, float)
    labels = np.asarray(labels, bool)
    pos, neg = scores[labels], scores[~labels]
    if len(pos) == 0 or len(neg) == 0:
        return [float('nan')] * 4
    won = 0
    for p in pos:
        won += 2 * int(np.sum(p > neg)) + int(np.sum(p == neg))
    auroc = won / (2 * len(pos) * len(neg))
    ap, last_recall, best, best_at = 0.0, 0.0, 0.0, 0.0
    for t in sorted(set(scores), reverse=True):
        said = scores >= t
        tp = int(np.sum(said & labels))
        precision, recall = tp / int(np.sum(said)), tp / len(pos)
        ap += (recall - last_recall) * precision
        last_recall = recall
        f1 = 0 if tp == 0 else 2 * precision * recall / (precision + recall)
        if f1 > best + 1e-12:
            best, best_at = f1, t
    return [auroc, ap, best, best_at]


def pro_curve(maps, masks):
    """The points (FPR, PRO), (0, 0) first, one per distinct value."""
    eight = np.ones((3, 3), int)
    regions, normal, n_regions = [], [], 0
    for k, mask in enumerate(masks):
        labels, n = ndimage.label(mask, eight)
        n_regions += n
        normal += [maps[k][labels == 0]]
        regions += [maps[k][labels == i + 1] for i in range(n)]
    normal = np.concatenate(normal)
    points = [(0.0, 0.0)]
    if n_regions == 0 or len(normal) == 0:
        return None, n_regions
    for t in sorted(set(np.concatenate([m.ravel() for m in maps])),
                    reverse=True):
        overlaps = [np.count_nonzero(r >= t) / r.size for r in regions]
        points.append((np.count_nonzero(normal >= t) / normal.size,
                       float(np.mean(overlaps))))
    return points, n_regions


def aupro(points, limit):
    """Exact integral of the polyline up to the limit, over the limit."""
    area = 0.0
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if x0 >= limit:
            break
        if x1 > limit:
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            x1 = limit
        area += (x1 - x0) * (y0 + y1) / 2
    return area / limit


def put_scores(name, scores, labels):
    print('scores', name, len(scores))
    for s, l in zip(scores, labels):
        print('%.17g %d' % (s, l))
    print(' '.join('%.17g' % v for v in ranking(scores, labels)))


def put_maps(name, maps, masks):
    maps = [np.asarray(m, np.float32) for m in maps]
    h, w = maps[0].shape
    print('maps', name, len(maps), h, w)
    full = []
    for m, mask in zip(maps, masks):
        print(' '.join('%.9g' % v for v in m.ravel()))
        if mask is None:
            print('-')
            full.append(np.zeros((h, w), bool))
        else:
            full.append(np.asarray(mask, bool))
            print(''.join('%d' % v for v in full[-1].ravel()))
    flat = ranking(np.concatenate([m.ravel() for m in maps]),
                   np.concatenate([m.ravel() for m in full]))
    points, n_regions = pro_curve(maps, full)
    print('%d %.17g %.17g' % (n_regions, flat[0], flat[1]))
    print(' '.join('%g %.17g' % (l, float('nan') if points is None
                                 else aupro(points, l)) for l in LIMITS))


def masks_of(rows):
    return np.array([[c == '#' for c in r] for r in rows])


def main():
    rng = np.random.default_rng(20240)
    print('# made by tests/golden/make_metrics.py, seed 20240, Python %s, '
          'numpy %s, scipy %s' % (platform.python_version(), np.__version__,
                                  scipy.__version__))

    put_scores('empty', [], [])
    put_scores('one_normal', [0.5], [0])
    put_scores('one_anomalous', [0.5], [1])
    put_scores('all_normal', [1, 2, 3], [0, 0, 0])
    put_scores('all_anomalous', [1, 2, 3], [1, 1, 1])
    put_scores('perfect', [1, 2, 3, 4], [0, 0, 1, 1])
    put_scores('reversed', [4, 3, 2, 1], [0, 0, 1, 1])
    put_scores('all_equal', [7, 7, 7, 7, 7], [0, 1, 0, 1, 1])
    put_scores('zeros', [0.0, -0.0, 0.0, -0.0], [0, 1, 1, 0])
    put_scores('infinite', [-np.inf, np.inf, np.inf, 0, -1e308], [0, 1, 0, 1, 1])
    labels = rng.random(60) < 0.4
    put_scores('random', rng.normal(size=60) + labels, labels)
    put_scores('ties', np.round(2 * rng.normal(size=60) + 2 * labels) / 4,
               labels)
    put_scores('close', 1 + 2.0**-52 * rng.integers(0, 9, 40),
               rng.random(40) < 0.5)

    border = masks_of(['##...#',
                       '......',
                       '......',
                       '#.....',
                       '#...##'])
    diagonal = masks_of(['#....#',
                         '.#..#.',
                         '..##..',
                         '......',
                         '#.#.#.'])
    ring = masks_of(['.####.',
                     '.#..#.',
                     '.#.##.',
                     '.###..',
                     '......'])
    noise = [rng.normal(size=(5, 6)) for _ in range(4)]
    put_maps('random', [n + m for n, m in
                        zip(noise, (border, diagonal, ring, 0 * ring))],
             [border, diagonal, ring, None])
    put_maps('ties', [np.round(n + m) for n, m in
                      zip(noise, (border, diagonal, ring, 0 * ring))],
             [border, diagonal, ring, 0 * ring])
    put_maps('perfect', [border * 1.0, diagonal * 2.0], [border, diagonal])
    put_maps('useless', [1.0 - border], [border])
    put_maps('constant', [np.full((5, 6), -2.5)], [ring])
    put_maps('all_normal', noise[:2], [None, 0 * ring])
    put_maps('all_anomalous', noise[:1], [1 + 0 * ring])
    put_maps('one_pixel', [[[3.0]], [[1.0]], [[3.0]]], [[[1]], None, [[0]]])
    flood = rng.random((9, 11)) < 0.45
    put_maps('flood', [np.round(rng.normal(size=(9, 11)), 1)
                       for _ in range(2)], [flood, ~flood])


if __name__ == '__main__':
    sys.exit(main())
