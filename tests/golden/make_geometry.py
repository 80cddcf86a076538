#!/usr/bin/python3
"""Write geometry.bin: prepared scans, by numpy and scipy, from a formula.

Run in this folder.  Made with numpy 1.24.2 and scipy 1.10.1.  This is written
from the description of the steps alone, in float64, with other methods where
there are any: singular vectors for the plane, scipy's morphology, its own
draws.  The scans are such that every sound draw finds the same table.

Per case, little endian: int32 scan, kind, range_given, channels, plane_found,
n_valid, n_part; float32 lo, hi (the given range); then the map in [0,1] as
float32, (S, S, channels), S = 40.  Kinds are numbered as in input_prepare.h.
"""
import struct

import numpy as np
from scipy import ndimage

MASK = (1 << 64) - 1
H, W, S = 61, 70, 40
DEPTH, XYZ, HEIGHT, NORMALS = 1, 2, 3, 4


def mix64(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


def unit(k):
    """In [0,1), exact in binary."""
    return (mix64(k) >> 40) / (1 << 24)


def scan_points(scan):
    """Scan 0: a dome on a tilted table; scan 1: no table to be found."""
    points = np.zeros((H, W, 3), np.float32)
    for y in range(H):
        for x in range(W):
            k = scan * 1000000 + y * W + x
            u = (x - 35) * 0.001
            v = (y - 30) * 0.001
            r2 = (x - 36) * (x - 36) + (y - 31) * (y - 31)
            dome = max(0.0, 0.03 - 0.00015 * r2)
            z = 0.5 + 0.2 * u - 0.15 * v - dome
            z += (unit(k) - 0.5) * (0.0006 if scan == 0 else 0.06)
            if x < 8 and y < 12:
                z -= 0.02  # something lies in the corner
            hole = unit(k + 500000)
            if hole < 0.33 or (30 <= x < 46 and 23 <= y < 38):
                continue
            points[y, x] = (u, v, z)
            if hole < 0.34:
                points[y, x, 2] = np.nan
            elif hole < 0.35:
                points[y, x, 0] = np.inf
    return points


def scan_depth():
    """Scan 2: 16 bits, 0 invalid."""
    depth = np.zeros((H, W), np.uint16)
    for y in range(H):
        for x in range(W):
            k = 2000000 + y * W + x
            if unit(k + 500000) >= 0.4 and not (x < 5 or 20 <= y < 31 <= x < 39):
                depth[y, x] = 20000 + 100 * y + 37 * x + int(unit(k) * 50)
    return depth


def nearest(a):
    rows = [(2 * i + 1) * H // (2 * S) for i in range(S)]
    cols = [(2 * i + 1) * W // (2 * S) for i in range(S)]
    return a[rows][:, cols]


def fit_table(points, valid):
    frame = np.ones((S, S), bool)
    frame[10:-10, 10:-10] = False
    p = points[frame & valid]
    if len(p) < 100:
        return None
    rng = np.random.default_rng(12345)
    best = None
    for _ in range(1000):
        a, b, c = p[rng.choice(len(p), 3, replace=False)]
        n = np.cross(b - a, c - a)
        if np.linalg.norm(n) < 1e-12:
            continue
        n /= np.linalg.norm(n)
        inliers = np.abs((p - a) @ n) <= 0.004
        if best is None or inliers.sum() > best.sum():
            best = inliers
    if best is None or 2 * best.sum() < len(p):
        return None
    q = p[best]
    centre = q.mean(0)
    n = np.linalg.svd(q - centre)[2][2]
    return n, -n @ centre


def close(mask):
    box = np.ones((3, 3), bool)
    mask = ndimage.binary_dilation(mask, box, iterations=3, border_value=0)
    return ndimage.binary_erosion(mask, box, iterations=3, border_value=1)


def neighbourhood(a, radius):
    """All shifts of a, with NaN outside: (n, S, S, ...)."""
    pad = [(radius, radius)] * 2 + [(0, 0)] * (a.ndim - 2)
    b = np.pad(a, pad, constant_values=np.nan)
    n = 2 * radius + 1
    return np.stack([b[i:i + S, j:j + S] for i in range(n) for j in range(n)])


def nanmean(a):
    count = np.sum(~np.isnan(a), 0)
    return np.where(count > 0, np.nansum(a, 0) / np.maximum(count, 1), np.nan)


def scale_and_fill(value, use, part, given):
    lo, hi = given if given else (value[use].min(), value[use].max())
    out = np.zeros((S, S))
    v = np.clip(value[use], lo, hi)
    out[use] = 0.5 if lo == hi else 0.1 + 0.8 * (v - lo) / (hi - lo)
    for _ in range(2):
        around = neighbourhood(out, 1)
        mean = nanmean(np.where(around > 0, around, np.nan))
        out = np.where(part & (out == 0), np.nan_to_num(mean), out)
    return out


def normals(points, valid, part):
    p = np.where(valid[..., None], points, np.nan)
    for radius in 1, 2, 3:
        p = np.where(np.isnan(p), nanmean(neighbourhood(p, radius)), p)
    there = ~np.isnan(p[..., 0])
    w = np.exp(-0.5 * np.arange(-4, 5) ** 2)

    def blur(a):
        for axis in 0, 1:
            a = ndimage.correlate1d(a, w, axis, mode="constant")
        return a

    weight = blur(there.astype(float))
    smooth = np.stack([blur(np.nan_to_num(p[..., k])) for k in range(3)], -1)
    smooth = np.where(there[..., None], smooth / np.maximum(weight, 1e-30)[
        ..., None], np.nan)
    out = np.zeros((S, S, 3))
    for y in range(S):
        for x in range(S):
            if not (part[y, x] and there[y, x]):
                continue
            sides = []
            for dy, dx in (0, 1), (1, 0):
                ends = []
                for s in -1, 1:
                    v, u = y + s * dy, x + s * dx
                    inside = 0 <= v < S and 0 <= u < S and there[v, u]
                    ends.append(smooth[v, u] if inside else smooth[y, x])
                sides.append(ends[1] - ends[0])
            n = np.cross(*sides)
            if np.linalg.norm(n) > 0:
                n = n / np.linalg.norm(n)
                out[y, x] = ((-n if n[2] > 0 else n) + 1) / 2
    return out


def prepare(scan, kind, given):
    if kind == DEPTH:
        value = nearest(scan_depth()).astype(float)
        valid = value != 0
        part = close(valid)
        return scale_and_fill(value, valid, part, given), False, valid, part
    points = nearest(scan_points(scan)).astype(float)
    valid = np.isfinite(points).all(-1) & (points != 0).any(-1)
    points[~valid] = 0
    plane = fit_table(points, valid)
    height = None if plane is None else np.abs(points @ plane[0] + plane[1])
    part = close(valid if plane is None else valid & (height > 0.005))
    if kind == NORMALS:
        out = normals(points, valid, part)
    else:
        z = points[..., 2]
        if kind == HEIGHT:
            z = z[valid].max() - z if plane is None else height
        out = scale_and_fill(z, valid & part, part, given)
    return out, plane is not None, valid, part


CASES = [(0, XYZ, None), (0, HEIGHT, None), (0, NORMALS, None),
         (0, XYZ, (0.48, 0.49)), (1, XYZ, None), (1, HEIGHT, None),
         (1, NORMALS, None), (2, DEPTH, None), (2, DEPTH, (21000, 26000))]

with open("geometry.bin", "wb") as file:
    for scan, kind, given in CASES:
        if given:
            given = tuple(float(np.float32(g)) for g in given)
        out, found, valid, part = prepare(scan, kind, given)
        lo, hi = given or (0, 0)
        file.write(struct.pack("<7i2f", scan, kind, given is not None,
                               3 if kind == NORMALS else 1, found, valid.sum(),
                               part.sum(), lo, hi))
        file.write(out.astype("<f4").tobytes())
        print(scan, kind, found, valid.sum(), part.sum(), out.min(), out.max())
