#!/usr/bin/python3
"""Write png/, tiff/ and jpeg/: broken and strange picture files.

A file's name starts with the status that decoding it must give: ok, corrupt,
unsupported or limit (at 2^24 pixels and 2^28 bytes).  The unit test
test_hostile_image decodes all of them and compares.  Run in this folder; the
JPEG cases start from ../golden/jpeg and need jpegtran
(libjpeg-turbo-progs).  A file that once crashed a decoder is
added by hand under the same rule of naming, as STATUS-found-WHAT.
"""
import glob
import os
import struct
import subprocess
import zlib

FOLDERS = {".png": "png/", ".tiff": "tiff/", ".jpg": "jpeg/"}
for folder in FOLDERS.values():
    os.makedirs(folder, exist_ok=True)
    for old in glob.glob(folder + "*"):
        if "-found-" not in old:  # those come from fuzzing, not from here
            os.remove(old)


def write(name, data):
    with open(FOLDERS[os.path.splitext(name)[1]] + name, "wb") as out:
        out.write(data)


# PNG ----------------------------------------------------------------------

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data, crc=None):
    if crc is None:
        crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def ihdr(w=8, h=8, depth=8, colour=2, compression=0, filters=0, interlace=0,
         crc=None):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour,
                                      compression, filters, interlace), crc)


ROWS = b"".join(b"\0" + bytes((x * 7 + y * 31) & 255 for x in range(24))
                for y in range(8))
IDAT = chunk(b"IDAT", zlib.compress(ROWS))
IEND = chunk(b"IEND", b"")
GOOD = SIGNATURE + ihdr() + IDAT + IEND
PLTE = chunk(b"PLTE", bytes(range(12)))
INDEX = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + b"\1\2\3\0" * 2
                                              for _ in range(8))))
# Adam7: passes of 8 x 8 RGB.
PASSES = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]
LACED = b"".join((b"\0" + bytes(3 * w)) * h for w, h in PASSES)


def png(name, *parts):
    write(name + ".png", SIGNATURE + b"".join(parts))


write("corrupt-empty.png", b"")
write("corrupt-half-signature.png", GOOD[:4])
write("corrupt-text-mode.png", GOOD.replace(b"\r\n", b"\n"))
png("corrupt-signature-only")
write("corrupt-header-cut.png", GOOD[:32])
write("corrupt-cut-after-header.png", GOOD[:33])
write("corrupt-cut-in-pixels.png", GOOD[:60])
write("corrupt-cut-in-crc.png", GOOD[:-14])
write("corrupt-no-end.png", GOOD[:-12])
write("corrupt-end-cut.png", GOOD[:-1])
png("corrupt-zero-width", ihdr(w=0), IDAT, IEND)
png("corrupt-zero-height", ihdr(h=0), IDAT, IEND)
png("corrupt-width-bit-31", ihdr(w=1 << 31), IDAT, IEND)
png("corrupt-height-all-bits", ihdr(h=0xffffffff), IDAT, IEND)
png("limit-2-31-pixels", ihdr(w=65536, h=32768), IDAT, IEND)
png("limit-square-of-2-31", ihdr(w=0x7fffffff, h=0x7fffffff, depth=16),
    IDAT, IEND)
png("limit-one-long-row", ihdr(w=0x7fffffff, h=1), IDAT, IEND)
png("limit-one-long-column", ihdr(w=1, h=0x7fffffff), IDAT, IEND)
png("corrupt-depth-3", ihdr(depth=3), IDAT, IEND)
png("corrupt-rgb-of-4-bits", ihdr(depth=4), IDAT, IEND)
png("corrupt-palette-of-16-bits", ihdr(depth=16, colour=3), PLTE, INDEX, IEND)
png("corrupt-colour-type-1", ihdr(colour=1), IDAT, IEND)
png("corrupt-colour-type-7", ihdr(colour=7), IDAT, IEND)
png("corrupt-compression-1", ihdr(compression=1), IDAT, IEND)
png("corrupt-filter-method-64", ihdr(filters=64), IDAT, IEND)
png("corrupt-interlace-2", ihdr(interlace=2), IDAT, IEND)
png("corrupt-header-crc", ihdr(crc=1), IDAT, IEND)
png("corrupt-header-too-long", chunk(b"IHDR", ihdr()[8:21] + b"\0"), IDAT, IEND)
png("corrupt-header-second", PLTE, ihdr(), IDAT, IEND)
png("corrupt-two-headers", ihdr(), ihdr(), IDAT, IEND)
png("corrupt-pixels-crc", ihdr(), chunk(b"IDAT", zlib.compress(ROWS), 1), IEND)
png("corrupt-no-pixels", ihdr(), IEND)
png("corrupt-empty-pixels", ihdr(), chunk(b"IDAT", b""), IEND)
png("corrupt-too-few-rows", ihdr(), chunk(b"IDAT", zlib.compress(ROWS[:-1])),
    IEND)
png("corrupt-filter-5", ihdr(), chunk(b"IDAT", zlib.compress(b"\5" + ROWS[1:])),
    IEND)
png("corrupt-not-zlib", ihdr(), chunk(b"IDAT", b"not compressed at all"), IEND)
png("corrupt-window-too-large", ihdr(),
    chunk(b"IDAT", b"\x88\x1c" + zlib.compress(ROWS)[2:]), IEND)
png("corrupt-preset-dictionary", ihdr(),
    chunk(b"IDAT", b"\x78\xbb" + zlib.compress(ROWS)[2:]), IEND)
png("corrupt-stream-damaged", ihdr(),
    chunk(b"IDAT", zlib.compress(ROWS)[:20] + b"\xff" * 20), IEND)
png("corrupt-pixels-interrupted", ihdr(),
    chunk(b"IDAT", zlib.compress(ROWS)[:9]), chunk(b"tEXt", b"a\0b"),
    chunk(b"IDAT", zlib.compress(ROWS)[9:]), IEND)
png("corrupt-no-palette", ihdr(colour=3), INDEX, IEND)
png("corrupt-palette-empty", ihdr(colour=3), chunk(b"PLTE", b""), INDEX, IEND)
png("corrupt-palette-of-4-bytes", ihdr(colour=3), chunk(b"PLTE", b"abcd"),
    INDEX, IEND)
png("corrupt-palette-of-257", ihdr(colour=3), chunk(b"PLTE", bytes(771)),
    INDEX, IEND)
png("corrupt-palette-crc", ihdr(colour=3), chunk(b"PLTE", bytes(12), 1), INDEX,
    IEND)
png("corrupt-palette-late", ihdr(colour=3), INDEX, PLTE, IEND)
png("ok-index-beyond-palette", ihdr(colour=3), chunk(b"PLTE", bytes(6)), INDEX,
    IEND)
png("ok-palette-longer-than-depth", ihdr(depth=2, colour=3),
    chunk(b"PLTE", bytes(24)),
    chunk(b"IDAT", zlib.compress(b"\0\x1b\xe4" * 8)), IEND)
png("corrupt-interlaced-cut", ihdr(interlace=1),
    chunk(b"IDAT", zlib.compress(LACED)[:12]))
png("corrupt-interlaced-last-pass-missing", ihdr(interlace=1),
    chunk(b"IDAT", zlib.compress(LACED[:-100])), IEND)
png("ok-interlaced", ihdr(interlace=1), chunk(b"IDAT", zlib.compress(LACED)),
    IEND)
png("ok-interlaced-one-pixel", ihdr(w=1, h=1, interlace=1),
    chunk(b"IDAT", zlib.compress(b"\0abc")), IEND)
png("corrupt-unknown-critical-chunk", ihdr(), chunk(b"CrIt", b"?"), IDAT, IEND)
png("corrupt-chunk-longer-than-file", ihdr(),
    struct.pack(">I", 5000) + b"tEXt" + b"short")
png("corrupt-chunk-length-bit-31", ihdr(),
    struct.pack(">I", 0xfffffff0) + b"tEXt" + b"x" * 40)
png("corrupt-chunk-name", ihdr(), chunk(b"\0\1\2\3", b"?"), IDAT, IEND)
png("ok-text-crc", ihdr(), chunk(b"tEXt", b"a\0b", 7), IDAT, IEND)
png("ok-text-inflates-to-64-mib", ihdr(),
    chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 26), 9)), IDAT, IEND)
png("ok-profile-inflates-to-64-mib", ihdr(),
    chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1 << 26), 9)), IDAT, IEND)
png("ok-profile-is-garbage", ihdr(), chunk(b"iCCP", b"garbage"), IDAT, IEND)
png("ok-3000-texts", ihdr(), chunk(b"tEXt", b"a\0b") * 3000, IDAT, IEND)
png("ok-gamma-zero", ihdr(), chunk(b"gAMA", bytes(4)), IDAT, IEND)
png("ok-significant-bits-wrong", ihdr(), chunk(b"sBIT", b"\x20"), IDAT, IEND)
png("ok-transparency-too-long", ihdr(colour=3), PLTE,
    chunk(b"tRNS", bytes(300)), INDEX, IEND)
png("ok-animation-chunks", ihdr(), chunk(b"acTL", bytes(8)), IDAT,
    chunk(b"fdAT", bytes(40)), IEND)
png("ok-unknown-chunk", ihdr(), chunk(b"abCd", bytes(100)), IDAT, IEND)
png("ok-tail", ihdr(), IDAT, IEND, b"anything")
png("ok-surplus-rows", ihdr(), chunk(b"IDAT", zlib.compress(ROWS + ROWS)), IEND)
png("ok-pixels-in-one-byte-chunks", ihdr(),
    *[chunk(b"IDAT", zlib.compress(ROWS)[i:i + 1])
      for i in range(len(zlib.compress(ROWS)))], IEND)
png("ok-empty-chunk-among-pixels", ihdr(), chunk(b"IDAT", b""), IDAT, IEND)

# TIFF ---------------------------------------------------------------------

SHORT, LONG, LONG8 = 3, 4, 16
SIZES = {1: 1, 2: 1, SHORT: 2, LONG: 4, 5: 8, 13: 4, LONG8: 8}
W, H = 12, 10
PIXELS = bytes((x * 5 + y * 11) & 255 for y in range(H) for x in range(W))


class Tiff:
    """A little-endian TIFF: pixels at byte 8, then values, then directory."""

    def __init__(self, pixels=PIXELS, big=False):
        self.big = big
        self.pixels = pixels
        self.start = 16 if big else 8
        self.tags = {256: (SHORT, [W]), 257: (SHORT, [H]), 258: (SHORT, [8]),
                     259: (SHORT, [1]), 262: (SHORT, [1]),
                     273: (LONG, [self.start]), 277: (SHORT, [1]),
                     278: (SHORT, [H]), 279: (LONG, [len(pixels)])}
        self.raw = []  # whole entries, after the tags
        self.next = 0

    def set(self, tag, *values, kind=SHORT):
        self.tags[tag] = (kind, list(values))
        return self

    def drop(self, tag):
        del self.tags[tag]
        return self

    def entry(self, tag, kind, count, value):
        self.raw.append(struct.pack("<HHQQ" if self.big else "<HHII", tag,
                                    kind, count, value))
        return self

    def bytes(self):
        word, field = ("Q", 8) if self.big else ("I", 4)
        body = bytearray(self.pixels)
        body += bytes(len(body) % 2)
        entries = []
        for tag, (kind, values) in sorted(self.tags.items()):
            form = {1: "B", SHORT: "H", LONG: "I", 13: "I", LONG8: "Q"}[kind]
            packed = struct.pack(f"<{len(values)}{form}", *values)
            if len(packed) <= field:
                value = packed.ljust(field, b"\0")
            else:
                value = struct.pack("<" + word, self.start + len(body))
                body += packed
            entries.append(struct.pack("<HH" + word, tag, kind, len(values))
                           + value)
        entries += self.raw
        at = self.start + len(body)
        head = (struct.pack("<2sHHHQ", b"II", 43, 8, 0, at) if self.big else
                struct.pack("<2sHI", b"II", 42, at))
        return (head + bytes(body)
                + struct.pack("<Q" if self.big else "<H", len(entries))
                + b"".join(entries) + struct.pack("<" + word, self.next))


def tiff(name, made):
    write(name + ".tiff", made.bytes() if isinstance(made, Tiff) else made)


good = Tiff().bytes()
packed = zlib.compress(PIXELS)
tiff("ok-plain", good)
tiff("ok-plain-big", Tiff(big=True))
tiff("corrupt-magic-only", b"II*\0")
tiff("corrupt-header-cut", good[:7])
tiff("corrupt-directory-beyond-end", b"II*\0" + struct.pack("<I", 5000)
     + good[8:])
tiff("corrupt-directory-at-last-byte", b"II*\0"
     + struct.pack("<I", len(good) - 1) + good[8:])
tiff("corrupt-directory-offset-all-bits", b"II*\0\xff\xff\xff\xff" + good[8:])
tiff("corrupt-directory-inside-header", b"II*\0" + struct.pack("<I", 0)
     + good[8:])
tiff("corrupt-65535-entries", b"II*\0\x08\0\0\0\xff\xff" + good[10:])
tiff("corrupt-big-entries-wrap", b"II+\0\x08\0\0\0" + struct.pack("<Q", 16)
     + b"\xff" * 8 + bytes(100))
tiff("corrupt-big-offset-wraps", b"II+\0\x08\0\0\0" + b"\xff" * 8 + bytes(100))
tiff("corrupt-big-with-4-byte-offsets", b"II+\0\x04\0\0\0"
     + Tiff(big=True).bytes()[8:])
tiff("corrupt-no-width", Tiff().drop(256))
tiff("corrupt-no-height", Tiff().drop(257))
tiff("corrupt-zero-width", Tiff().set(256, 0))
tiff("corrupt-zero-height", Tiff().set(257, 0))
tiff("corrupt-width-bit-31", Tiff().set(256, 1 << 31, kind=LONG))
tiff("limit-2-31-pixels", Tiff().set(256, 65536, kind=LONG)
     .set(257, 32768))
tiff("limit-square-of-2-31", Tiff().set(256, 0x7fffffff, kind=LONG)
     .set(257, 0x7fffffff, kind=LONG))
tiff("limit-huge-tile", Tiff().drop(273).drop(278).drop(279)
     .set(322, 65536, kind=LONG).set(323, 65536, kind=LONG)
     .set(324, 8, kind=LONG).set(325, 120, kind=LONG))
tiff("corrupt-tile-without-height", Tiff().set(322, 16))
tiff("corrupt-zero-tile", Tiff().drop(273).drop(278).drop(279)
     .set(322, 0).set(323, 16).set(324, 8, kind=LONG)
     .set(325, 120, kind=LONG))
tiff("corrupt-tile-data-short", Tiff().drop(273).drop(278).drop(279)
     .set(322, 16).set(323, 16).set(324, 8, kind=LONG)
     .set(325, 120, kind=LONG))
tiff("corrupt-width-is-text", Tiff().drop(256).entry(256, 2, 1, 12))
tiff("corrupt-width-count-0", Tiff().drop(256).entry(256, SHORT, 0, 12))
tiff("corrupt-bits-count-huge", Tiff().drop(258)
     .entry(258, SHORT, 0xffffffff, 8))
tiff("corrupt-bits-beyond-end", Tiff().drop(258).entry(258, SHORT, 3, 100000))
tiff("corrupt-big-count-wraps", Tiff(big=True).drop(258)
     .entry(258, SHORT, 0x8000000000000001, 8))
tiff("corrupt-width-twice", Tiff().entry(256, SHORT, 1, 12))
tiff("corrupt-two-compressions", Tiff().entry(259, SHORT, 1, 5))
tiff("corrupt-zero-samples", Tiff().set(277, 0))
tiff("unsupported-65535-samples", Tiff().set(277, 65535))
tiff("unsupported-channels-differ", Tiff().set(258, 8, 8, 16).set(277, 3))
tiff("corrupt-all-samples-extra", Tiff().set(338, 0))
tiff("unsupported-bilevel", Tiff().set(258, 1))
tiff("unsupported-no-bits", Tiff().drop(258))
tiff("unsupported-4-bits", Tiff().set(258, 4))
tiff("unsupported-12-bits", Tiff().set(258, 12))
tiff("unsupported-signed", Tiff().set(339, 2))
tiff("unsupported-complex", Tiff().set(258, 64).set(339, 6))
tiff("unsupported-float-16", Tiff().set(258, 16).set(339, 3))
tiff("unsupported-float-24", Tiff().set(258, 24).set(339, 3))
tiff("unsupported-jpeg", Tiff().set(259, 7))
tiff("unsupported-old-jpeg", Tiff().set(259, 6).set(262, 6))
tiff("unsupported-ccitt", Tiff().set(259, 4).set(258, 1))
tiff("unsupported-zstandard", Tiff().set(259, 50000))
tiff("unsupported-compression-0", Tiff().set(259, 0))
tiff("unsupported-white-is-zero", Tiff().set(262, 0))
tiff("unsupported-mask", Tiff().set(262, 4))
tiff("unsupported-planar-0", Tiff().set(284, 0))
tiff("unsupported-fill-order", Tiff().set(266, 2))
tiff("ok-no-compression-tag", Tiff().drop(259))
tiff("ok-no-photometric-tag", Tiff().drop(262))
tiff("corrupt-no-strip-offsets", Tiff().drop(273))
tiff("ok-no-strip-sizes", Tiff().drop(279))
tiff("ok-no-rows-per-strip", Tiff().drop(278))
tiff("corrupt-rows-per-strip-0", Tiff().set(278, 0))
tiff("ok-rows-per-strip-all-bits", Tiff().set(278, 0xffffffff, kind=LONG))
tiff("corrupt-strip-beyond-end", Tiff().set(273, 100000, kind=LONG))
tiff("corrupt-strip-at-all-bits", Tiff().set(273, 0xffffffff, kind=LONG))
tiff("ok-strip-size-0", Tiff().set(279, 0))
tiff("corrupt-strip-short", Tiff().set(259, 8).set(279, 10))
tiff("corrupt-strip-offsets-missing", Tiff().set(278, 1))
tiff("corrupt-offsets-beyond-end", Tiff().drop(273)
     .entry(273, LONG, 1000000, 8).set(278, 1))
tiff("ok-deflate", Tiff(packed).set(259, 8))
tiff("corrupt-deflate-short", Tiff(packed[:-20]).set(259, 8))
tiff("corrupt-deflate-garbage", Tiff(b"\x78\x9c" + b"\xff" * 60).set(259, 8))
tiff("corrupt-deflate-not-zlib", Tiff(b"no zlib" * 9).set(259, 32946))
tiff("corrupt-deflate-too-little", Tiff(zlib.compress(PIXELS[:-1]))
     .set(259, 8))
tiff("ok-deflate-too-much", Tiff(zlib.compress(PIXELS * 2)).set(259, 8))
tiff("ok-deflate-64-mib-too-much", Tiff(zlib.compress(bytes(1 << 26), 9))
     .set(259, 8))
tiff("corrupt-lzw-garbage", Tiff(b"\xff" * 60).set(259, 5))
tiff("corrupt-lzw-first-code-unknown", Tiff(b"\x80\x7f\xff" * 30).set(259, 5))
tiff("corrupt-lzw-empty", Tiff(b"\x80\x40\x40").set(259, 5))
tiff("corrupt-packbits-short", Tiff(b"\x7f" + PIXELS[:50]).set(259, 32773))
tiff("corrupt-packbits-cut", Tiff(b"\x81").set(259, 32773))
tiff("unsupported-predictor-3-of-integers", Tiff(packed).set(259, 8)
     .set(317, 3))
tiff("unsupported-predictor-7", Tiff(packed).set(259, 8).set(317, 7))
tiff("corrupt-no-palette", Tiff().set(262, 3))
tiff("corrupt-palette-short", Tiff().set(262, 3).set(320, *range(30)))
tiff("ok-palette-of-8-bit-values", Tiff().set(262, 3)
     .set(320, *[i & 255 for i in range(768)]))
# At most 4 entries of 2 bytes: the directory points into itself, or nowhere.
loop = Tiff()
loop.next = 8 + len(PIXELS)
tiff("ok-next-directory-is-this-one", loop)
loop = Tiff()
loop.next = 0xfffffff0
tiff("ok-next-directory-beyond-end", loop)
tiff("ok-sub-directory-is-this-one", Tiff().entry(330, 13, 1, 8 + len(PIXELS)))
tiff("ok-sub-directory-beyond-end", Tiff().entry(330, 13, 1, 0xfffffff0))
tiff("ok-sub-directories-beyond-end", Tiff()
     .entry(330, 13, 1000000, 0xfffffff0))
tiff("ok-exif-beyond-end", Tiff().entry(34665, LONG, 1, 0xfffffff0))
tiff("ok-text-beyond-end", Tiff().entry(305, 2, 1000, 0xfffff000))
tiff("ok-private-tag", Tiff().entry(65000, 7, 4, 0))
tiff("ok-orientation-99", Tiff().set(274, 99))

# JPEG ---------------------------------------------------------------------


def golden(name):
    with open(f"../golden/jpeg/{name}.jpg", "rb") as file:
        return file.read()


def segment(marker, data):
    return struct.pack(">BBH", 255, marker, len(data) + 2) + data


def segments(data):
    """The file as a list of (marker, bytes); the last has the scan data."""
    at, out = 2, []
    while data[at + 1] != 0xda:
        n = struct.unpack(">H", data[at + 2:at + 4])[0] + 2
        out.append((data[at + 1], data[at:at + n]))
        at += n
    return out + [(0xda, data[at:])]


base = golden("baseline_420")
parts = segments(base)
frame = [p for m, p in parts if m == 0xc0][0]


def jpeg(name, data):
    write(name + ".jpg", data)


def with_frame(new):
    return base[:2] + b"".join(new if m == 0xc0 else p for m, p in parts)


def without(marker):
    return base[:2] + b"".join(p for m, p in parts if m != marker)


def frame_of(width=45, height=37, precision=8, marker=0xc0, components=None):
    rest = frame[9:] if components is None else components
    return (struct.pack(">BBHBHH", 255, marker, len(rest) + 7, precision,
                        height, width) + rest)


jpeg("corrupt-start-only", b"\xff\xd8\xff")
jpeg("corrupt-start-and-end", b"\xff\xd8\xff\xd9")
jpeg("corrupt-cut-in-tables", base[:40])
jpeg("corrupt-cut-in-frame", with_frame(frame)[:base.index(frame) + 6])
jpeg("corrupt-cut-in-scan", base[:-60])
jpeg("corrupt-end-marker-missing", base[:-2])
jpeg("corrupt-half-end-marker", base[:-1])
jpeg("corrupt-no-frame", without(0xc0))
jpeg("corrupt-no-huffman-tables", without(0xc4))
jpeg("corrupt-no-quantisation", without(0xdb))
jpeg("corrupt-no-scan", base[:2] + b"".join(p for m, p in parts[:-1])
     + b"\xff\xd9")
jpeg("corrupt-zero-width", with_frame(frame_of(width=0)))
jpeg("unsupported-zero-height", with_frame(frame_of(height=0)))
jpeg("limit-65500-squared", with_frame(frame_of(65500, 65500)))
jpeg("limit-65535-squared", with_frame(frame_of(65535, 65535)))
jpeg("corrupt-taller-than-its-data", with_frame(frame_of(height=600)))
jpeg("unsupported-12-bits", with_frame(frame_of(precision=12, marker=0xc1)))
jpeg("unsupported-lossless", with_frame(frame_of(marker=0xc3)))
jpeg("unsupported-hierarchical", with_frame(frame_of(marker=0xc5)))
jpeg("unsupported-arithmetic", with_frame(frame_of(marker=0xc9)))
jpeg("unsupported-lossless-arithmetic", with_frame(frame_of(marker=0xcb)))
jpeg("corrupt-no-components", with_frame(frame_of(components=b"\0")))
jpeg("corrupt-components-beyond-segment", with_frame(
    frame_of(components=b"\x09" + frame[10:])))
jpeg("corrupt-sampling-0", with_frame(frame_of(
    components=b"\3\1\0\0\2\x11\1\3\x11\1")))
jpeg("corrupt-sampling-5", with_frame(frame_of(
    components=b"\3\1\x55\0\2\x11\1\3\x11\1")))
jpeg("corrupt-table-number-9", with_frame(frame_of(
    components=b"\3\1\x22\x09\2\x11\1\3\x11\1")))
jpeg("corrupt-two-frames", with_frame(frame + frame))
jpeg("corrupt-second-frame-larger", with_frame(frame + frame_of(4500, 3700)))
jpeg("corrupt-segment-length-0", base[:2] + b"\xff\xe0\0\0" + base[20:])
jpeg("corrupt-segment-length-1", base[:2] + b"\xff\xe0\0\1" + base[20:])
jpeg("corrupt-segment-beyond-end", base[:2] + b"\xff\xe1\xff\xff" + base[2:])
jpeg("corrupt-huffman-table-overfull", base[:2] + segment(
    0xc4, b"\0" + b"\xff" * 16 + bytes(100)) + base[2:])
jpeg("corrupt-scan-damaged", base[:-100] + b"\xff\xd0" + base[-98:])
jpeg("corrupt-scan-of-ones", base[:2] + b"".join(p for m, p in parts[:-1])
     + parts[-1][1][:14] + b"\xff\0" * 100 + b"\xff\xd9")
jpeg("ok-adobe-marker-strange", base[:2] + segment(
    0xee, b"Adobe\0\x64\0\0\0\0\x07") + base[2:])
jpeg("ok-comments", base[:2] + segment(0xfe, b"x" * 60) * 100 + base[2:])
jpeg("ok-exif-garbage", base[:2] + segment(0xe1, b"Exif\0\0garbage") + base[2:])
jpeg("ok-fill-bytes", base[:2] + b"\xff" * 50 + base[2:])
progressive = golden("progressive")


def scan_script(n):
    """For n valid scans: DC, then a coefficient of a component each."""
    lines = [f"{c}: {k}-{k}, 0, 0;" for k in range(1, 64) for c in range(3)]
    return "0,1,2: 0-0, 0, 0;\n" + "\n".join(lines[:n - 1]) + "\n"


for n, status in (64, "ok"), (65, "limit"), (99, "limit"):
    with open("scans.txt", "w") as script:
        script.write(scan_script(n))
    jpeg(f"{status}-{n}-scans", subprocess.run(
        ["jpegtran", "-scans", "scans.txt"], input=base, check=True,
        stdout=subprocess.PIPE).stdout)
    os.remove("scans.txt")
jpeg("corrupt-progressive-cut", progressive[:len(progressive) // 2])
jpeg("corrupt-progressive-no-end", progressive[:-2])
