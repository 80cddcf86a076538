#!/usr/bin/env python3
"""Write broken and malicious weight files, and how each must be refused.

	python3 tests/hostile/make_broken_weights.py tests/hostile/weights

Needs only Python's own library.  cases.txt has a line for each file:

	NAME OPEN READ TEXT

OPEN is the status of opening it under the limits of the test (1,000 tensors,
16 MB), READ that of reading its tensors, "-" if it cannot be opened; TEXT
must be part of the message.  Files named crash-* were found by the fuzzers;
this script lists them but cannot make them.
"""

import json
import os
import pickle
import struct
import sys
import zlib

OK = "OK"
CORRUPT = "CORRUPT_DATA"
UNSUPPORTED = "UNSUPPORTED"
LIMIT = "LIMIT_EXCEEDED"

FOLDER = sys.argv[1]
CASES = []


def case(name, data, opened, text, read=None):
    if data is not None:
        with open(os.path.join(FOLDER, name), "wb") as f:
            f.write(data)
    CASES.append((name, opened, read or "-", text))


# safetensors

FLOATS = struct.pack("<4f", 1, 2, 3, 4)


def st(header, data=FLOATS):
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def tensor(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def st_cases():
    good = {"a": tensor([2], 0, 8), "b": tensor([2], 8, 16)}

    def one(name, text, opened=CORRUPT, read=None, data=FLOATS, **change):
        case(name, st({"a": dict(tensor([4], 0, 16), **change)}, data),
             opened, text, read)

    case("st-good", st(good), OK, "", OK)
    case("st-length-wraps", b"\xff" * 8 + b"{}", LIMIT, "too large")
    case("st-length-17mb", struct.pack("<Q", 17 << 20) + b"{}", LIMIT,
         "too large")
    case("st-length-over", struct.pack("<Q", 3) + b"{}", CORRUPT, "truncated")
    case("st-length-zero", struct.pack("<Q", 0) + b"{}", CORRUPT,
         "does not start")
    case("st-not-json", st(b"{\"a\" ]"), CORRUPT, "not valid JSON")
    case("st-garbage", st(b"{} x", b""), CORRUPT, "not valid JSON")
    case("st-nul", st(b"{}\0", b""), CORRUPT, "not valid JSON")
    case("st-tensor-array", st(b"{\"a\": []}"), CORRUPT, "wrongly")
    case("st-tensor-lacks", st({"a": {"dtype": "F32", "shape": [4]}}),
         CORRUPT, "wrongly")
    a = json.dumps(tensor([2], 0, 8))
    b = json.dumps(tensor([2], 8, 16))
    case("st-duplicate", st(('{"a": %s, "a": %s}' % (a, b)).encode()),
         CORRUPT, "more than once")
    case("st-duplicate-prefix", st({"a": tensor([2], 0, 8),
                                    "module.a": tensor([2], 8, 16)}),
         CORRUPT, "more than once")
    case("st-duplicate-inner", st(
        b'{"a": {"dtype": "F32", "shape": [4], "shape": [4], '
        b'"data_offsets": [0, 16]}}'), CORRUPT, "wrongly")
    case("st-overlap", st({"a": tensor([3], 0, 12), "b": tensor([2], 8, 16)}),
         CORRUPT, "overlaps")
    case("st-same-data", st({"a": tensor([4], 0, 16),
                             "b": tensor([4], 0, 16)}), CORRUPT, "overlaps")
    case("st-hole", st({"a": tensor([1], 0, 4), "b": tensor([2], 8, 16)}),
         CORRUPT, "hole")
    case("st-hole-front", st({"a": tensor([2], 8, 16)}), CORRUPT, "hole")
    case("st-tail", st({"a": tensor([2], 0, 8)}), CORRUPT,
         "belong to no tensor")
    case("st-no-tensors-tail", st({}), CORRUPT, "belong to no tensor")
    case("st-no-tensors", st({}, b""), OK, "", OK)
    one("st-begin-after-end", "outside", data_offsets=[16, 0])
    one("st-end-beyond", "outside", data_offsets=[4, 20])
    one("st-end-huge", "outside", data_offsets=[0, 2 ** 63 - 1])
    one("st-begin-huge", "outside", data_offsets=[2 ** 63 - 16, 2 ** 63 - 1])
    one("st-offset-64", "wrongly", data_offsets=[0, 2 ** 64 + 16])
    one("st-offset-negative", "wrongly", data_offsets=[-16, 0])
    one("st-offset-real", "wrongly", data_offsets=[0, 16.0])
    one("st-offsets-three", "wrongly", data_offsets=[0, 8, 16])
    one("st-offsets-object", "wrongly", data_offsets={"0": 0})
    one("st-shape-mismatch", "wrong number of bytes", shape=[5])
    one("st-shape-wraps", "wrongly", shape=[2 ** 62, 4, 2 ** 62])
    one("st-shape-bits-wrap", "impossible size", shape=[2 ** 59 + 4])
    one("st-shape-negative", "wrongly", shape=[-2, -2])
    one("st-shape-real", "wrongly", shape=[4.0])
    one("st-shape-text", "wrongly", shape="4")
    one("st-shape-null", "wrongly", shape=None)
    one("st-dims-five", "too many dimensions", OK, UNSUPPORTED,
        shape=[1, 2, 1, 2, 1])
    one("st-dims-thousands", "too many dimensions", OK, UNSUPPORTED,
        shape=[4] + [1] * 3000)
    one("st-dtype-unknown", "not known", UNSUPPORTED, dtype="F128")
    one("st-dtype-number", "wrongly", dtype=32)
    one("st-dtype-integers", "floating-point", OK, UNSUPPORTED, dtype="I32")
    one("st-dtype-odd-bits", "impossible size", dtype="F4", shape=[31])
    one("st-extra-key", "wrongly", UNSUPPORTED, sparse=True)
    one("st-nan", "not finite", OK, CORRUPT,
        data=struct.pack("<4f", 1, 2, float("nan"), 4))
    one("st-double-overflow", "not finite", OK, CORRUPT, dtype="F64",
        shape=[2], data=struct.pack("<2d", 1, 1e300))
    case("st-metadata-number", st(dict(good, __metadata__={"a": 1})),
         CORRUPT, "not a string")
    case("st-metadata-twice", st(
        b'{"__metadata__": {"a": "1", "a": "2"}}', b""), CORRUPT, "twice")
    case("st-metadata-array", st(dict(good, __metadata__=["a"])), CORRUPT,
         "not an object")
    for name, key, status, text in (
            ("st-name-nul", "a\0b", CORRUPT, "not valid JSON"),
            ("st-name-unicode", "\u00e4", UNSUPPORTED, "ASCII"),
            ("st-name-newline", "a\nb", UNSUPPORTED, "ASCII"),
            ("st-name-long", "a" * 128, LIMIT, "too long"),
            ("st-name-empty", "", CORRUPT, "no name"),
            ("st-name-module", "module.module.", CORRUPT, "no name")):
        case(name, st({key: tensor([4], 0, 16)}), status, text)
    case("st-name-not-utf8", st(
        b'{"\xff": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}'),
         CORRUPT, "not valid JSON")
    case("st-deep", st(b"{\"a\":" + b"[" * 5000), CORRUPT, "wrongly")


# Pickles, by hand

def text(s):
    s = s.encode()
    return b"X" + struct.pack("<I", len(s)) + s


def number(n):
    return b"\x8a\x08" + struct.pack("<q", n)


def global_(name):
    return b"c" + name.replace(" ", "\n").encode() + b"\n"


def numbers(ns):
    return b"(" + b"".join(number(n) for n in ns) + b"t"


def storage(key="0", numel=4, kind="torch FloatStorage", more=b"",
            tag="storage"):
    return b"(" + text(tag) + global_(kind) + text(key) + text("cpu") + \
        number(numel) + more + b"tQ"


def rebuild(store=None, offset=0, size=(4,), stride=(1,)):
    store = storage() if store is None else store
    return global_("torch._utils _rebuild_tensor_v2") + b"(" + store + \
        number(offset) + numbers(size) + numbers(stride) + b"\x89" + \
        b"}tR"


def pickled(body):
    return b"\x80\x02" + body + b"."


def state(value=None, before=b"", after=b""):
    """{before..., "w": value, after...}"""
    value = rebuild() if value is None else value
    return pickled(b"}(" + before + text("w") + value + after + b"u")


# zip archives, by hand

class Entry:
    def __init__(self, name, data, deflate=False, **lies):
        self.name = name.encode()
        self.raw = data
        self.crc = zlib.crc32(data)
        self.size = len(data)
        self.method = 8 if deflate else 0
        if deflate:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            self.data = packer.compress(data) + packer.flush()
        else:
            self.data = data
        self.stored = len(self.data)
        self.flags = 0
        self.disk = 0
        self.at = None  # where it says that it is
        self.extra = b""
        self.local_name = None
        self.local_size = None
        self.__dict__.update(lies)


def archive(entries, **lies):
    """lies: n, at, size, locator, end64, comment, comment_length, disk."""
    body = b""
    directory = b""
    for e in entries:
        at = len(body)
        local_name = self_or(e.local_name, e.name)
        body += struct.pack(
            "<IHHHHHIIIHH", 0x04034b50, 20, e.flags, e.method, 0, 0, e.crc,
            min(self_or(e.local_size, e.stored), 0xffffffff),
            min(e.size, 0xffffffff), len(local_name), 0)
        body += local_name + e.data
        directory += struct.pack(
            "<IHHHHHHIIIHHHHHII", 0x02014b50, 20, 20, e.flags, e.method, 0, 0,
            e.crc, min(e.stored, 0xffffffff), min(e.size, 0xffffffff),
            len(e.name), len(e.extra), 0, e.disk, 0, 0,
            self_or(e.at, at))
        directory += e.name + e.extra
    end = len(body) + len(directory)
    n = lies.get("n", len(entries))
    tail = lies.get("end64", b"") + lies.get("locator", b"")
    tail = tail.replace(b"<END>", struct.pack("<Q", end))
    comment = lies.get("comment", b"")
    tail += struct.pack(
        "<IHHHHIIH", 0x06054b50, lies.get("disk", 0), 0, n, n,
        lies.get("size", len(directory)), lies.get("at", len(body)),
        lies.get("comment_length", len(comment))) + comment
    return body + directory + tail


def self_or(value, other):
    return other if value is None else value


def zipped(data_pkl, data=FLOATS, deflate=False):
    return archive([Entry("x/data.pkl", data_pkl, deflate),
                    Entry("x/data/0", data)])


def zip64_end(n=2, size=0, at=0, field=44):
    return struct.pack("<IQHHIIQQQQ", 0x06064b50, field, 45, 45, 0, 0, n, n,
                       size, at)


def locator(at=None, disk=0):
    place = b"<END>" if at is None else struct.pack("<Q", at)
    return struct.pack("<II", 0x07064b50, disk) + place + struct.pack("<I", 1)


def zip_cases():
    def pkl(**more):
        return Entry("x/data.pkl", state(), **more)

    def data(**more):
        return Entry("x/data/0", FLOATS, **more)

    good = archive([pkl(), data()])
    case("zip-good", good, OK, "", OK)
    case("zip-comment", archive([pkl(), data()], comment=b"hello"), OK, "",
         OK)
    case("zip-no-end", good[:-22], CORRUPT, "no directory")
    case("zip-comment-lie", archive([pkl(), data()], comment=b"hello",
                                    comment_length=6), CORRUPT,
         "no directory")
    case("zip-trailing", good + b"x", CORRUPT, "no directory")
    case("zip-leading", good[:4] + b"x" + good[4:], CORRUPT,
         "impossible place")
    case("zip-empty", archive([]), UNSUPPORTED, "not written by PyTorch")
    case("zip-crc-data", archive([pkl(), data(crc=1)]), OK, "damaged",
         CORRUPT)
    case("zip-crc-pickle", archive([pkl(crc=1), data()]), CORRUPT, "damaged")
    case("zip-count-more", archive([pkl(), data()], n=3), CORRUPT,
         "impossible number")
    case("zip-count-less", archive([pkl(), data()], n=1), CORRUPT,
         "broken directory")
    case("zip-directory-beyond", archive([pkl(), data()], at=0x7fffffff),
         CORRUPT, "impossible place")
    case("zip-directory-short", archive([pkl(), data()], size=1), CORRUPT,
         "impossible place")
    case("zip-directory-is-data", archive([pkl(), data()], size=len(good) - 22,
                                          at=0), CORRUPT, "broken directory")
    case("zip-disks", archive([pkl(), data()], disk=1), UNSUPPORTED, "disks")
    case("zip-disk-entry", archive([pkl(), data(disk=1)]), UNSUPPORTED,
         "disks")
    case("zip64-count-huge", archive(
        [pkl(), data()], locator=locator(), n=0xffff,
        end64=zip64_end(n=2 ** 40, at=0, size=len(good) - 22)), CORRUPT,
         "impossible number")
    case("zip64-directory-wraps", archive(
        [pkl(), data()], locator=locator(),
        end64=zip64_end(at=2 ** 64 - 16, size=32)), CORRUPT,
         "impossible place")
    case("zip64-locator-beyond", archive(
        [pkl(), data()], locator=locator(2 ** 63), end64=zip64_end()),
         CORRUPT, "no zip64 end record")
    case("zip64-locator-wraps", archive(
        [pkl(), data()], locator=locator(2 ** 64 - 1), end64=zip64_end()),
         CORRUPT, "no zip64 end record")
    case("zip64-locator-alone", archive([pkl(), data()],
                                        locator=locator(0)), CORRUPT,
         "no zip64 end record")
    case("zip64-end-size", archive(
        [pkl(), data()], locator=locator(), end64=zip64_end(field=2 ** 60)),
         CORRUPT, "wrong size")
    case("zip64-locator-disk", archive(
        [pkl(), data()], locator=locator(disk=1), end64=zip64_end()),
         UNSUPPORTED, "disks")
    ones = 0xffffffff
    case("zip64-extra-short", archive([pkl(), data(
        size=ones, extra=struct.pack("<HHI", 1, 4, 16))]), CORRUPT,
         "short zip64 field")
    case("zip64-extra-cut", archive([pkl(), data(
        size=ones, extra=struct.pack("<HHI", 1, 400, 16))]), CORRUPT,
         "broken extra field")
    case("zip64-size-huge", archive([pkl(), data(
        size=ones, extra=struct.pack("<HHQ", 1, 8, 2 ** 63))]), CORRUPT,
         "impossible sizes")
    case("zip64-stored-huge", archive([pkl(), data(
        size=ones, stored=ones, extra=struct.pack(
            "<HHQQ", 1, 16, 2 ** 62, 2 ** 62))]), CORRUPT, "impossible sizes")
    case("zip64-place-wraps", archive([pkl(), data(
        at=ones, extra=struct.pack("<HHQ", 1, 8, 2 ** 64 - 8))]), CORRUPT,
         "no header")
    case("zip64-missing-field", archive([pkl(), data(size=ones,
                                                     stored=ones)]),
         CORRUPT, "impossible sizes")
    case("zip-place-beyond", archive([pkl(), data(at=0x7fffffff)]), CORRUPT,
         "no header")
    case("zip-place-wrong", archive([pkl(), data(at=5)]), CORRUPT,
         "no header")
    case("zip-size-beyond", archive([pkl(), data(size=32, stored=32)]),
         CORRUPT, "does not fit")
    case("zip-name-differs", archive([pkl(), data(local_name=b"x/data/1")]),
         CORRUPT, "contradicts")
    case("zip-size-differs", archive([pkl(), data(local_size=15)]), CORRUPT,
         "contradicts")
    case("zip-stored-size", archive([pkl(), data(size=15)]), CORRUPT,
         "impossible sizes")
    case("zip-duplicate", archive([pkl(), data(), data()]), CORRUPT,
         "more than once")
    case("zip-overlap", archive([pkl(), data(), data(
        at=len(archive([pkl()])) - 22 - 46 - len("x/data.pkl"))]), CORRUPT,
         "overlaps")
    case("zip-encrypted", archive([pkl(), data(flags=1)]), UNSUPPORTED,
         "encrypted")
    case("zip-bzip2", archive([pkl(), data(method=12)]), UNSUPPORTED,
         "compression")
    n = 20 << 20
    case("zip-deflate-bomb", archive(
        [Entry("x/data.pkl", state(rebuild(storage(numel=n // 4)))),
         Entry("x/data/0", bytes(n), True)]), OK, "too much memory", LIMIT)
    case("zip-pickle-bomb", archive(
        [Entry("x/data.pkl", bytes(17 << 20), True)]), LIMIT, "too long")
    case("zip-deflate-good", archive([pkl(deflate=True),
                                      data(deflate=True)]), OK, "", OK)
    for size in (8, 32, 4096, 1 << 30):
        case("zip-deflate-says-%d" % size, archive(
            [Entry("x/data.pkl", state(rebuild(storage(numel=size // 4)))
                   if size != 8 else state(rebuild(storage(numel=2),
                                                   size=(2,)))),
             data(deflate=True, size=size)]), OK,
             "impossible size" if size > 20000 else "damaged", CORRUPT)
    case("zip-deflate-garbage", archive(
        [pkl(), data(method=8, stored=16)]), OK, "damaged",
         CORRUPT)
    case("zip-no-pickle", archive([data()]), UNSUPPORTED,
         "not written by PyTorch")
    case("zip-two-pickles", archive([pkl(), Entry("y/data.pkl", b""),
                                     data()]), CORRUPT, "more than one")
    case("zip-long-folder", archive(
        [Entry("x" * 600 + "/data.pkl", state()), data()]), LIMIT,
         "too long")
    case("zip-no-storage", archive([pkl()]), CORRUPT, "lacks storage")
    case("zip-storage-short", archive([pkl(), Entry("x/data/0", b"1234")]),
         CORRUPT, "wrong size")
    case("zip-storage-long", archive([pkl(), Entry("x/data/0", FLOATS * 2)]),
         CORRUPT, "wrong size")
    case("zip-big-endian", archive([pkl(), data(), Entry("x/byteorder",
                                                         b"big")]),
         UNSUPPORTED, "little endian")
    case("zip-odd-endian", archive([pkl(), data(), Entry("x/byteorder",
                                                         b"\xff" * 60)]),
         UNSUPPORTED, "little endian")
    case("zip-pickle-trailing", zipped(state() + b"N."), CORRUPT,
         "followed by something")
    case("zip-pickle-empty", zipped(b""), CORRUPT, "truncated")


# What a pickle may not do

class Evil:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def pickle_cases():
    command = "touch /tmp/mmrd-was-executed"
    for protocol in (2, 4):
        case("pkl-system-%d" % protocol, zipped(pickle.dumps(
            {"w": Evil(os.system, command)}, protocol)), UNSUPPORTED,
             "\"posix.system\"")
        case("pkl-eval-%d" % protocol, zipped(pickle.dumps(
            {"w": Evil(eval, "1")}, protocol)), UNSUPPORTED,
             "builtin__.eval\"" if protocol == 2 else "\"builtins.eval\"")
    case("pkl-os-system", zipped(state(
        global_("os system") + text(command) + b"\x85R")), UNSUPPORTED,
         "\"os.system\"")
    case("pkl-instance", zipped(state(
        b"(" + text(command) + b"ios\nsystem\n")), UNSUPPORTED, "INST")
    case("pkl-object", zipped(state(
        b"(" + global_("os system") + text(command) + b"o")), UNSUPPORTED,
         "\"os.system\"")
    case("pkl-newobj", zipped(state(
        global_("collections OrderedDict") + b")\x81")), UNSUPPORTED,
         "NEWOBJ")
    case("pkl-extension", zipped(state(b"\x82\x01")), UNSUPPORTED, "EXT1")
    case("pkl-text-opcodes", zipped(state(b"I1\n")), UNSUPPORTED, "INT")
    case("pkl-unknown-opcode", zipped(state(b"\xff")), UNSUPPORTED, "0xff")
    case("pkl-model-object", zipped(state(
        global_("torchvision.models.resnet ResNet") + b")R")), UNSUPPORTED,
         "\"torchvision.models.resnet.ResNet\"")
    case("pkl-attribute", zipped(state(
        global_("torch._utils _rebuild_tensor_v2.__globals__"))),
         UNSUPPORTED, "__globals__\"")
    case("pkl-name-bytes", zipped(state(b"co\x1b[2Js\nsys\xfftem\n")),
         UNSUPPORTED, "\"o?[2Js.sys?tem\"")
    case("pkl-name-long", zipped(state(b"c" + b"a" * 4000 + b"\nb\n")),
         UNSUPPORTED, "aaa....b\"")
    case("pkl-name-cut", zipped(b"\x80\x02cos"), CORRUPT, "truncated")
    case("pkl-call-text", zipped(state(text("os.system") + b")R")), CORRUPT,
         "not a function")
    case("pkl-call-list", zipped(state(
        global_("collections OrderedDict") + b"]R")), CORRUPT,
         "not a function")
    case("pkl-stack-global-number", zipped(state(b"K\1K\1\x93")), CORRUPT,
         "without a name")
    case("pkl-storage-call", zipped(state(
        global_("torch FloatStorage") + b")R")), UNSUPPORTED, "of its own")


def pickle_bombs():
    good = text("good") + rebuild()
    case("pkl-memo-index", zipped(state(b"Nr\xff\xff\xff\xff")), LIMIT,
         "memo entries")
    case("pkl-memo-missing", zipped(state(b"h\x07")), CORRUPT,
         "memo entry that does not exist")
    case("pkl-memo-empty-stack", zipped(b"\x80\x02q\0."), CORRUPT, "stack")
    # Lists of ten times the list before, shared: 10^12 leaves if expanded.
    laughs = b"(](" + b"N" * 10 + b"eq\0"
    for i in range(1, 12):
        laughs += b"](" + b"h%c" % (i - 1) * 10 + b"eq%c" % i
    case("pkl-billion-laughs", zipped(state(
        before=text("laughs") + laughs + b"t")), OK, "", OK)
    case("pkl-list-in-itself", zipped(state(
        before=text("loop") + b"]q\0h\0a")), OK, "", OK)
    case("pkl-dict-in-itself", zipped(pickled(
        b"}q\0(" + good + text("state_dict") + b"h\0u")), OK, "", OK)
    case("pkl-deep-tuples", zipped(state(
        before=text("deep") + b")" + b"\x85" * 200000), deflate=True), OK,
         "", OK)
    case("pkl-deep-marks", zipped(pickled(b"(" * 300)), LIMIT,
         "open brackets")
    case("pkl-many-values", zipped(state(
        before=text("many") + b"]" + (b"(" + b"N" * 1000 + b"e") * 1100),
        deflate=True), LIMIT, "values")
    case("pkl-many-on-stack", zipped(pickled(b"N" * 300000), deflate=True),
         LIMIT, "on its stack")
    case("pkl-many-cells", zipped(pickled(
        b"Nq\0]" + (b"(" + b"h\0" * 2000 + b"e") * 600), deflate=True),
         LIMIT, "containers")
    case("pkl-text-wraps", zipped(pickled(b"X\xff\xff\xff\xffabc")), CORRUPT,
         "truncated")
    case("pkl-text8-wraps", zipped(pickled(b"\x8d" + b"\xff" * 8 + b"abc")),
         CORRUPT, "truncated")
    case("pkl-long-cut", zipped(b"\x80\x02\x8a\xff12."), CORRUPT,
         "truncated")
    case("pkl-underflow", zipped(pickled(b"\x86")), CORRUPT, "stack")
    case("pkl-underflow-bracket", zipped(pickled(b"N(\x85")), CORRUPT,
         "stack")
    case("pkl-bracket-unopened", zipped(pickled(b"t")), CORRUPT,
         "not opened")
    case("pkl-bracket-unclosed", zipped(pickled(b"N(")), CORRUPT,
         "inside a bracket")
    case("pkl-bracket-first", zipped(pickled(b"(t")), UNSUPPORTED,
         "no dictionary of tensors")
    case("pkl-nothing", zipped(pickled(b"")), CORRUPT, "stack")
    case("pkl-no-stop", zipped(b"\x80\x02N"), CORRUPT, "truncated")
    case("pkl-key-alone", zipped(pickled(b"}(" + text("w") + b"u")), CORRUPT,
         "without a value")
    case("pkl-append-to-tuple", zipped(pickled(b")Na")), CORRUPT,
         "not a container")
    case("pkl-set-in-tensor", zipped(pickled(rebuild() + b"NNs")), CORRUPT,
         "not a container")
    case("pkl-build-on-list", zipped(pickled(b"]}b")), UNSUPPORTED,
         "attributes")
    case("pkl-build-with-list", zipped(pickled(b"}]b")), UNSUPPORTED,
         "attributes")
    case("pkl-build-with-text", zipped(pickled(b"}" + text("a" * 9) + b"b")),
         UNSUPPORTED, "attributes")
    case("pkl-build-with-number", zipped(pickled(b"}" + number(2 ** 62 + 1) +
                                                 b"b")), UNSUPPORTED,
         "attributes")
    # What Tensor.__setstate__ would take: another place in memory.
    case("pkl-build-tensor", zipped(state(
        rebuild() + b"(" + storage() + number(0) + numbers((4,)) +
        numbers((1,)) + b"tb")), UNSUPPORTED, "attributes")
    case("pkl-build-parameter", zipped(state(
        rebuild() + b"\x88\x89}\x87b")), OK, "", OK)
    case("pkl-protocol-0", zipped(b"(dp0\n."), UNSUPPORTED, "protocol")
    case("pkl-protocol-6", zipped(b"\x80\x06}."), UNSUPPORTED, "protocol")


def tensor_cases():
    def one(name, text_, opened=CORRUPT, read=None, **arguments):
        case(name, zipped(state(rebuild(**arguments))), opened, text_, read)

    one("pkl-offset-negative", "outside", offset=-1)
    one("pkl-offset-beyond", "outside", offset=1)
    one("pkl-offset-huge", "outside", offset=2 ** 63 - 1)
    one("pkl-size-beyond", "outside", size=(5,))
    one("pkl-size-negative", "impossible shape", size=(-1,))
    one("pkl-size-wraps", "impossible shape", size=(2 ** 62, 2 ** 62),
        stride=(0, 0))
    one("pkl-bytes-wrap", "impossible shape", size=(2 ** 62,), stride=(0,))
    one("pkl-stride-negative", "impossible shape", stride=(-1,))
    one("pkl-stride-wraps", "impossible shape", size=(3, 3),
        stride=(2 ** 62, 2 ** 62))
    one("pkl-stride-beyond", "outside", size=(2, 2), stride=(2, 2))
    one("pkl-expanded-huge", "too much memory", OK, LIMIT, size=(2 ** 40,),
        stride=(0,))
    one("pkl-dims-five", "too many dimensions", OK, UNSUPPORTED,
        size=(4, 1, 1, 1, 1), stride=(1, 1, 1, 1, 1))
    one("pkl-dims-65", "wrong arguments", size=(1,) * 65, stride=(1,) * 65)
    one("pkl-dims-differ", "wrong arguments", size=(2, 2), stride=(1,))
    one("pkl-empty-anywhere", "", OK, OK, size=(0, 2 ** 40),
        stride=(2 ** 40, 1), offset=4)
    one("pkl-numel-negative", "negative", store=storage(numel=-1))
    one("pkl-numel-wraps", "impossible size", store=storage(numel=2 ** 62))
    one("pkl-numel-huge", "wrong size", store=storage(numel=2 ** 61))
    one("pkl-numel-short", "wrong size", store=storage(numel=3))
    one("pkl-storage-missing", "lacks storage", store=storage("1"))
    one("pkl-storage-key-bytes", "lacks storage \"../?\"",
        store=storage("../\x7f"))
    one("pkl-storage-key-long", "too long", LIMIT, store=storage("k" * 256))
    one("pkl-storage-view", "view", UNSUPPORTED,
        store=storage(more=numbers((1, 2))))
    one("pkl-storage-tag", "not a storage", UNSUPPORTED,
        store=storage(tag="module"))
    one("pkl-storage-class", "not a storage", UNSUPPORTED,
        store=storage(kind="collections OrderedDict"))
    one("pkl-storage-none", "wrong arguments", store=b"N")
    one("pkl-persistent-text", "not a storage", UNSUPPORTED,
        store=text("0") + b"Q")
    one("pkl-storage-quantized", "QUInt8Storage\"", UNSUPPORTED,
        store=storage(kind="torch QUInt8Storage"))
    case("pkl-integers", zipped(state(rebuild(storage(
        kind="torch IntStorage")))), OK, "floating-point", UNSUPPORTED)
    case("pkl-two-types", zipped(state(
        before=text("v") + rebuild(storage(kind="torch IntStorage")))),
         CORRUPT, "two types")
    case("pkl-two-sizes", zipped(state(
        before=text("v") + rebuild(storage(numel=3), size=(3,)))),
         CORRUPT, "two types or sizes")
    case("pkl-duplicate", zipped(state(before=text("w") + rebuild())),
         CORRUPT, "more than once")
    case("pkl-duplicate-prefix", zipped(state(
        before=text("module.w") + rebuild())), CORRUPT, "more than once")
    case("pkl-parameter-of-none", zipped(state(
        global_("torch._utils _rebuild_parameter") + b"(N\x89}tR")), CORRUPT,
         "wrong arguments")
    case("pkl-tensor-two-arguments", zipped(state(
        global_("torch._utils _rebuild_tensor") + storage() + b"K\0\x86R")),
         CORRUPT, "wrong arguments")
    case("pkl-dict-of-texts", zipped(state(
        global_("collections OrderedDict") + b"]" + text("a") +
        b"a\x85R")), CORRUPT, "wrong arguments")
    case("pkl-dict-of-triples", zipped(state(
        global_("collections OrderedDict") + b"]NNN\x87a\x85R")), CORRUPT,
         "wrong arguments")
    case("pkl-name-number", zipped(state(before=b"K\1" + rebuild())),
         UNSUPPORTED, "not a text")
    case("pkl-only-tensor", zipped(pickled(rebuild())), UNSUPPORTED,
         "no dictionary of tensors")
    case("pkl-only-numbers", zipped(pickled(b"}" + text("a") + b"K\1s")),
         UNSUPPORTED, "no dictionary of tensors")
    case("pkl-empty-dict", zipped(pickled(b"}")), UNSUPPORTED,
         "no dictionary of tensors")
    many = b"".join(text("w%d" % i) + b"h\0" for i in range(1001))
    case("pkl-many-tensors", zipped(pickled(
        rebuild() + b"q\0}(" + many + b"u\x86"), deflate=True), UNSUPPORTED,
         "no dictionary of tensors")
    case("pkl-many-names", zipped(pickled(
        b"}(" + text("w") + rebuild() + b"q\0" + many + b"u"), deflate=True),
         LIMIT, "too many tensors")


# Legacy files

MAGIC = pickle.dumps(0x1950a86a20f9469cfc6c, 2)
VERSION = pickle.dumps(1001, 2)
MACHINE = pickle.dumps({"little_endian": True}, 2)
NUMEL = struct.pack("<q", 4)


def legacy(magic=MAGIC, version=VERSION, machine=MACHINE, saved=None,
           keys=None, data=NUMEL + FLOATS):
    saved = state() if saved is None else saved
    keys = pickled(b"](" + text("0") + b"e") if keys is None else keys
    return magic + version + machine + saved + keys + data


def legacy_cases():
    two = state(before=text("v") + rebuild(storage("1")))
    case("leg-good", legacy(), OK, "", OK)
    case("leg-plain-pickle", pickle.dumps({"a": 1}, 2), UNSUPPORTED,
         "not written by PyTorch")
    case("leg-system", pickle.dumps(Evil(os.system, "true"), 2), UNSUPPORTED,
         "\"posix.system\"")
    case("leg-magic-wrong", legacy(pickle.dumps(2 ** 70 + 1, 2)),
         UNSUPPORTED, "not written by PyTorch")
    case("leg-version", legacy(version=pickle.dumps(1002, 2)), UNSUPPORTED,
         "protocol version")
    case("leg-version-text", legacy(version=pickle.dumps("1001", 2)),
         UNSUPPORTED, "protocol version")
    case("leg-big-endian", legacy(machine=pickle.dumps(
        {"little_endian": False}, 2)), UNSUPPORTED, "little endian")
    case("leg-no-endian", legacy(machine=pickle.dumps({}, 2)), CORRUPT,
         "byte order")
    case("leg-endian-number", legacy(machine=pickle.dumps(
        {"little_endian": 1}, 2)), CORRUPT, "byte order")
    case("leg-machine-list", legacy(machine=pickle.dumps([], 2)), CORRUPT,
         "byte order")
    case("leg-machine-eval", legacy(machine=pickle.dumps(
        Evil(eval, "{}"), 4)), UNSUPPORTED, "\"builtins.eval\"")
    case("leg-keys-eval", legacy(keys=pickle.dumps(Evil(eval, "[]"), 4)),
         UNSUPPORTED, "\"builtins.eval\"")
    case("leg-keys-tuple", legacy(keys=pickle.dumps(("0",), 2)), CORRUPT,
         "no list")
    case("leg-keys-none", legacy(keys=pickle.dumps([], 2)), CORRUPT,
         "wrong number")
    case("leg-keys-more", legacy(keys=pickle.dumps(["0", "1"], 2)), CORRUPT,
         "wrong number")
    case("leg-keys-other", legacy(keys=pickle.dumps(["1"], 2)), CORRUPT,
         "not used")
    case("leg-keys-number", legacy(keys=pickle.dumps([0], 2)), CORRUPT,
         "not used")
    case("leg-keys-twice", legacy(saved=two, keys=pickle.dumps(
        ["0", "0"], 2), data=(NUMEL + FLOATS) * 2), CORRUPT,
         "listed already")
    case("leg-two", legacy(saved=two, keys=pickle.dumps(["1", "0"], 2),
                           data=(NUMEL + FLOATS) * 2), OK, "", OK)
    case("leg-numel-less", legacy(data=struct.pack("<q", 3) + FLOATS),
         CORRUPT, "wrong size")
    case("leg-numel-negative", legacy(data=struct.pack("<q", -1) + FLOATS),
         CORRUPT, "wrong size")
    case("leg-numel-huge", legacy(saved=state(rebuild(storage(
        numel=2 ** 61))), data=struct.pack("<q", 2 ** 61) + FLOATS), CORRUPT,
         "truncated")
    case("leg-data-cut", legacy(data=NUMEL + FLOATS[:15]), CORRUPT,
         "truncated")
    case("leg-numel-cut", legacy(data=NUMEL[:7]), CORRUPT, "ends before")
    case("leg-no-data", legacy(data=b""), CORRUPT, "ends before")
    case("leg-trailing", legacy(data=NUMEL + FLOATS + b"\0"), CORRUPT,
         "goes on")
    case("leg-pickle-long", legacy(saved=b"\x80\x02X" + struct.pack(
        "<I", 2 ** 31) + b"x"), CORRUPT, "truncated")


def other_cases():
    case("other-empty", b"", UNSUPPORTED, "not a weights file")
    case("other-byte", b"\x80", UNSUPPORTED, "not a weights file")
    case("other-text", b"import torch\n" * 3, UNSUPPORTED,
         "not a weights file")
    case("other-tar", b"sys_info".ljust(257, b"\0") + b"ustar\0" + b"00" +
         bytes(247), UNSUPPORTED, "tar archive")
    case("other-png", b"\x89PNG\r\n\x1a\n" + bytes(30), UNSUPPORTED,
         "not a weights file")
    case("other-lfs-pointer", b"version https://git-lfs.github.com/spec/v1\n"
         b"oid sha256:00\n", UNSUPPORTED, "not a weights file")


def found_cases():
    """What fuzzing found; the bytes are not made here."""
    # Popping nothing from a stack that had not been allocated yet.
    case("crash-bracket-on-empty-stack", None, CORRUPT, "stack")
    case("crash-bracket-on-empty-stack-zip", None, CORRUPT, "damaged")


def main():
    st_cases()
    zip_cases()
    pickle_cases()
    pickle_bombs()
    tensor_cases()
    legacy_cases()
    other_cases()
    found_cases()
    with open(os.path.join(FOLDER, "cases.txt"), "w") as f:
        for name, opened, read, message in CASES:
            line = "%-26s %-14s %-14s %s" % (name, opened, read, message)
            f.write(line.rstrip() + "\n")


main()
