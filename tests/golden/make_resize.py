#!/usr/bin/python3
"""Write resize.bin: what Pillow's BILINEAR makes of pictures from a formula.

Run in this folder with python3-pil.  Made with Pillow 9.4.0.  Per case, little
endian: int32 channels, height, width, to_height, to_width, seed; then the
resized samples, uint8, (to_height, to_width, channels).  The source picture
is not stored: sample k of case `seed` is the top byte of
mix64(seed * 2^32 + k), SplitMix64's finaliser after its increment, as
mmrd_mix64() computes it.  Noise is the hardest case for a resize.
"""
import struct

from PIL import Image

MASK = (1 << 64) - 1


def mix64(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
    return z ^ z >> 31


# channels, height, width, to_height, to_width: odd sizes, up and down, both
# at once, one-pixel sides, the identity, and a large shrink.
CASES = [
    (3, 61, 47, 32, 32), (1, 61, 47, 32, 32), (3, 17, 23, 32, 32),
    (1, 17, 23, 64, 61), (3, 101, 13, 31, 29), (1, 7, 99, 19, 18),
    (3, 1, 1, 5, 7), (1, 1, 37, 9, 11), (3, 41, 1, 8, 9), (3, 33, 33, 33, 33),
    (1, 211, 197, 11, 9), (3, 150, 203, 33, 31), (3, 64, 64, 32, 32),
    (1, 2, 3, 1, 1), (3, 65, 63, 64, 64),
]

with open("resize.bin", "wb") as out:
    for seed, (c, h, w, to_h, to_w) in enumerate(CASES):
        samples = bytes(mix64((seed << 32) + k) >> 56 for k in range(h * w * c))
        image = Image.frombytes("L" if c == 1 else "RGB", (w, h), samples)
        image = image.resize((to_w, to_h), Image.BILINEAR)
        out.write(struct.pack("<6i", c, h, w, to_h, to_w, seed))
        out.write(image.tobytes())
