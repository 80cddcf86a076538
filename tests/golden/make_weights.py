#!/usr/bin/env python3
"""Write small weight files of every kind, and what must be read from them.

	/usr/bin/python3 tests/golden/make_weights.py tests/golden/weights

The committed files were made with Python 3.11.2 and PyTorch 1.13.0
(Debian 12).  Running it again changes the legacy files, whose keys are
addresses in memory, but not the numbers; expected.txt stays the same.

expected.txt has a line for each tensor, sorted by name, with values as C99
hexadecimal floats (or, for types that are not floating point, the raw bytes
in hex), and then one for each file, saying how many of them are in it:

	tensor NAME TYPE N_DIMS DIM ... VALUE ...
	file NAME COUNT KIND
"""

import collections
import io
import json
import pickle
import struct
import sys
import zipfile
import zlib

import torch

SEED = 20240229
TYPES = {
    torch.float32: ("float32", "F32"),
    torch.float64: ("float64", "F64"),
    torch.float16: ("float16", "F16"),
    torch.bfloat16: ("bfloat16", "BF16"),
    torch.int64: ("other", "I64"),
}


def make_state():
    """A state dict with every type and every way to lie in a storage."""
    torch.manual_seed(SEED)
    net = torch.nn.Sequential(collections.OrderedDict(
        conv=torch.nn.Conv2d(3, 2, 2, bias=False),
        bn=torch.nn.BatchNorm2d(2)))
    net(torch.randn(2, 3, 5, 5))  # moves the statistics
    state = net.state_dict()  # has _metadata, and num_batches_tracked
    base = torch.randn(4, 5)
    image = torch.randn(2, 3, 2, 4)
    state["half"] = torch.randn(7).half()
    state["bfloat"] = torch.randn(3, 3).bfloat16()
    state["double"] = torch.randn(2, 2, dtype=torch.float64)
    state["scalar"] = torch.tensor(-1.5)
    state["empty"] = torch.zeros(0, 3)
    state["five"] = torch.randn(1, 2, 1, 2, 1)
    state["view.whole"] = base
    state["view.row"] = base[2]
    state["view.column"] = base[:, 1]
    state["view.transposed"] = base.t()
    state["view.channels_last"] = image.contiguous(
        memory_format=torch.channels_last)
    state["view.expanded"] = torch.tensor([3.25]).expand(2, 3)
    state["view.half"] = torch.randn(6).half()[::2]
    state["parameter"] = torch.nn.Parameter(torch.randn(2, 3))
    return state


def values_of(t):
    t = t.detach().contiguous()
    if t.dtype.is_floating_point:
        return [float(x).hex() for x in t.double().flatten().tolist()]
    return [t.numpy().tobytes().hex()]


def expect_tensors(out, state):
    for key in sorted(state):
        t = state[key]
        words = ["tensor", key, TYPES[t.dtype][0], str(t.dim())]
        words += [str(d) for d in t.shape] + values_of(t)
        print(*words, file=out)


def expect(out, name, kind, state):
    print("file", name, len(state), kind, file=out)


def raw_bytes(t):
    t = t.detach().contiguous()
    if t.dtype == torch.bfloat16:
        return t.view(torch.int16).numpy().tobytes()
    return t.numpy().tobytes()


def write_safetensors(path, state):
    """By hand: the format is a length, JSON, and the data."""
    header = {"__metadata__": {"format": "pt", "note": "a \"quoted\" \u00e4"}}
    data = b""
    for key, t in state.items():
        raw = raw_bytes(t)
        header[key] = {
            "dtype": TYPES[t.dtype][1],
            "shape": list(t.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def repack_deflated(source, path):
    """The same archive compressed, in another folder, with a byteorder."""
    with zipfile.ZipFile(source) as old, \
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            rest = info.filename.split("/", 1)[1]
            new.writestr(zipfile.ZipInfo("other name/" + rest),
                         old.read(info), zipfile.ZIP_DEFLATED)
        new.writestr(zipfile.ZipInfo("other name/byteorder"), b"little")


def repack_zip64(source, path):
    """The same archive with every size and place in zip64 fields."""
    ones = 0xffffffff
    body = b""
    directory = b""
    with zipfile.ZipFile(source) as old:
        infos = old.infolist()
        for info in infos:
            name = info.filename.encode()
            data = old.read(info)
            n = len(data)
            crc = zlib.crc32(data)
            at = len(body)
            extra = struct.pack("<HHQQ", 1, 16, n, n)
            body += struct.pack("<IHHHHHIIIHH", 0x04034b50, 45, 0, 0, 0, 0,
                                crc, ones, ones, len(name), len(extra))
            body += name + extra + data
            # An extra field of another kind comes first.
            extra = struct.pack("<HHI", 0x4246, 4, 0)
            extra += struct.pack("<HHQQQ", 1, 24, n, n, at)
            directory += struct.pack(
                "<IHHHHHHIIIHHHHHII", 0x02014b50, 45, 45, 0, 0, 0, 0, crc,
                ones, ones, len(name), len(extra), 0, 0, 0, 0, ones)
            directory += name + extra
    at = len(body)
    end = len(body) + len(directory)
    tail = struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 45, 45, 0, 0,
                       len(infos), len(infos), len(directory), at)
    tail += struct.pack("<IIQI", 0x07064b50, 0, end, 1)
    tail += struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 0xffff, 0xffff,
                        ones, ones, 7) + b"comment"
    with open(path, "wb") as f:
        f.write(body + directory + tail)


class Python2:
    """Emits the opcodes that Python 2's pickle used for a state dict."""

    def __init__(self):
        self.out = b"\x80\x02"
        self.n_memo = 0

    def put(self):
        self.out += b"q" + bytes([self.n_memo]) if self.n_memo < 256 else \
            b"r" + struct.pack("<I", self.n_memo)
        self.n_memo += 1

    def text(self, s):
        if len(s) < 8:  # both forms of str
            self.out += b"U" + bytes([len(s)]) + s.encode()
        else:
            self.out += b"T" + struct.pack("<i", len(s)) + s.encode()
        self.put()

    def number(self, n):
        self.out += b"J" + struct.pack("<i", n)

    def long(self, n):
        self.out += b"\x8a\x08" + struct.pack("<q", n)

    def get_global(self, name):
        self.out += b"c" + name.replace(" ", "\n").encode() + b"\n"
        self.put()

    def numbers(self, ns):
        self.out += b"("
        for n in ns:
            self.long(n)
        self.out += b"t"
        self.put()


def write_python2(path, state):
    storages = {torch.float32: "FloatStorage", torch.float64: "DoubleStorage",
                torch.float16: "HalfStorage", torch.int64: "LongStorage"}
    p = Python2()
    p.get_global("collections OrderedDict")
    p.out += b"]"
    p.put()
    p.out += b"("
    for i, (key, t) in enumerate(state.items()):
        p.out += b"]"
        p.put()
        p.out += b"("
        p.text("module." + key)
        if key == "parameter":
            p.get_global("torch.nn.parameter Parameter")
        p.get_global("torch._utils _rebuild_tensor")
        p.out += b"(("
        p.text("storage")
        p.get_global("torch " + storages[t.dtype])
        p.text(str(94000000 + i))
        p.text("cuda:0")
        p.long(t.numel())
        p.out += b"Nt"
        p.put()
        p.out += b"Q"
        p.number(0)
        p.numbers(t.shape)
        p.numbers(t.stride())
        p.out += b"t"
        p.put()
        p.out += b"R"
        p.put()
        if key == "parameter":
            p.out += b"\x85R\x88\x89N\x87b"  # requires_grad, volatile, hooks
        p.out += b"e"
    p.out += b"e\x85"
    p.put()
    p.out += b"R"
    p.put()
    p.out += b"}"
    p.text("_metadata")
    p.out += b"Nsb."
    keys = Python2()
    keys.out += b"]"
    keys.put()
    keys.out += b"("
    for i in range(len(state)):
        keys.text(str(94000000 + i))
    keys.out += b"e."
    machine = {"protocol_version": 1001, "little_endian": True,
               "type_sizes": {"short": 2, "int": 4, "long": 8}}
    with open(path, "wb") as f:
        f.write(pickle.dumps(0x1950a86a20f9469cfc6c, 2))
        f.write(pickle.dumps(1001, 2))
        f.write(pickle.dumps(machine, 2))
        f.write(p.out + keys.out)
        for t in state.values():
            f.write(struct.pack("<q", t.numel()) + raw_bytes(t))


def main(folder):
    torch_zip = "PyTorch zip archive"
    legacy = "PyTorch legacy file"
    state = make_state()
    parallel = collections.OrderedDict(
        ("module." + k, v) for k, v in state.items())
    plain = collections.OrderedDict(
        (k, v) for k, v in state.items()
        if v.is_contiguous() and v.dtype != torch.bfloat16)
    out = io.StringIO()
    expect_tensors(out, state)

    def path(name):
        return folder + "/" + name

    write_safetensors(path("all.safetensors"), state)
    expect(out, "all.safetensors", "safetensors", state)

    for protocol in (2, 3, 4, 5):
        name = "zip_protocol%d.pth" % protocol
        torch.save(state, path(name), pickle_protocol=protocol)
        expect(out, name, torch_zip, state)
    repack_deflated(path("zip_protocol2.pth"), path("zip_deflated.pth"))
    expect(out, "zip_deflated.pth", torch_zip, state)
    repack_zip64(path("zip_protocol2.pth"), path("zip64.pth"))
    expect(out, "zip64.pth", torch_zip, state)
    torch.save(parallel, path("zip_parallel.pth"))
    expect(out, "zip_parallel.pth", torch_zip, state)
    torch.save({"epoch": 3, "arch": "resnet18", "best_acc1": torch.tensor(7.),
                "state_dict": parallel, "lr": 0.1, "none": None,
                "flags": [True, False, (1, -2, 2 ** 40)],
                "optimizer": {"state": {0: {"step": 1,
                                            "exp_avg": torch.ones(2)}}}},
               path("zip_wrapped.pth"))
    expect(out, "zip_wrapped.pth", torch_zip, state)

    for protocol in (2, 4):
        name = "legacy_protocol%d.pth" % protocol
        torch.save(state, path(name), pickle_protocol=protocol,
                   _use_new_zipfile_serialization=False)
        expect(out, name, legacy, state)
    torch.save({"model": {"state_dict": parallel}, "epoch": 1},
               path("legacy_wrapped.pth"),
               _use_new_zipfile_serialization=False)
    expect(out, "legacy_wrapped.pth", legacy, state)
    write_python2(path("legacy_python2.pth"), plain)
    expect(out, "legacy_python2.pth", legacy, plain)

    with open(path("expected.txt"), "w") as f:
        f.write(out.getvalue())


if __name__ == "__main__":
    main(sys.argv[1])
