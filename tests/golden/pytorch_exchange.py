"""
tests/golden/pytorch_exchange.py
    A model from PyTorch into the database, and one from the database back.

    PGHOST=... PGDATABASE=... python3 pytorch_exchange.py [options]

docs/pytorch.md explains it.  On the scans of a table (columns id, rgb, aux)
it trains a model with mmrd_reference.py, writes the file, imports it, lets
both programs score every scan and compares; then it exports the model, reads
that file and compares again.  Ends with status 1 where scores differ by more
than 1e-3 or an exported tensor differs at all.

Needs PyTorch 1.13 or later, Pillow, numpy, and psql, which finds the server
by the usual variables; the role must be granted mmrd_import_model and
mmrd_export_model.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch
import torch.nn.functional as F
from PIL import Image

from mmrd_reference import (Config, Network, formula_tensors, initial_tensors,
                            read_safetensors, tensor_shapes)

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
TOLERANCE = 1e-3


# ---------------------------------------------------------------------------
# The database, through psql

def psql(sql):
    """Run SQL and return the rows, each a list of texts."""
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-F", "\t", "-c", sql]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def read_scans(table, modalities):
    """-> ids, [per modality [bytes of a picture]]"""
    columns = ", ".join(f"encode({m}, 'hex')" for m in modalities)
    rows = psql(f"SELECT id, {columns} FROM {table} ORDER BY id")
    pictures = [[bytes.fromhex(row[1 + m]) for row in rows]
                for m in range(len(modalities))]
    return [int(row[0]) for row in rows], pictures


def import_model(name, path):
    """Send the file through a temporary table; -> the version's number"""
    with open(path, "rb") as file:
        line = b"\\\\x" + file.read().hex().encode() + b"\n"
    done = subprocess.run(
        ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1",
         "-c", "CREATE TEMP TABLE model_file (file bytea)",
         "-c", "COPY model_file FROM STDIN",
         "-c", f"SELECT mmrd_import_model('{name}', file) FROM model_file"],
        input=line, stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def export_model(name, path):
    (text,), = psql(f"SELECT encode(mmrd_export_model('{name}'), 'hex')")
    with open(path, "wb") as file:
        file.write(bytes.fromhex(text))


def scores_in_database(table, name, modalities):
    arguments = [f"{argument} => {column}" for argument, column
                 in zip(("rgb", "aux", "aux2"), modalities)]
    rows = psql(f"SELECT mmrd_score({', '.join(arguments)},"
                f" model => '{name}') FROM {table} ORDER BY id")
    return torch.tensor([float(row[0]) for row in rows])


# ---------------------------------------------------------------------------
# Pictures: decode, resize, range, normalise

def prepare(picture, size):
    """Bytes of an 8-bit picture -> (3,S,S), as the database prepares it."""
    image = numpy.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
    x = torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
    # Pillow's filter, without its rounding to 8 bits.
    x = F.interpolate(x[None], (size, size), mode="bilinear",
                      align_corners=False, antialias=True)[0]
    return (x - MEAN) / DEVIATION


def prepare_all(pictures, size):
    return [torch.stack([prepare(p, size) for p in of_modality])
            for of_modality in pictures]


# ---------------------------------------------------------------------------
# Models

def read_teacher(path, config):
    """A torchvision state dict; without a file, random weights."""
    if path is not None:
        return torch.load(path, map_location="cpu")
    generator = torch.Generator().manual_seed(1)
    teacher = {}
    for name, shape in tensor_shapes(config).items():
        first, _, rest = name.partition(".")
        if first != "teacher":
            continue
        rest = rest[len("rgb."):] if rest.startswith("rgb.") else rest
        if len(shape) == 4:
            std = (2 / (shape[0] * shape[2] * shape[3])) ** 0.5
            teacher[rest] = std * torch.randn(shape, generator=generator)
        elif rest.endswith((".weight", ".running_var")):
            teacher[rest] = torch.ones(shape)
        else:
            teacher[rest] = torch.zeros(shape)
    return teacher


def train(config, images, teacher, epochs):
    network = Network(config, initial_tensors(config, teacher, seed=0))
    generator = torch.Generator().manual_seed(0)
    network.adapt(images, torch.randperm(len(images[0]), generator=generator))
    cached = network.cache(images)
    network.draw_prototypes(cached, generator)
    network.fit(cached, epochs=epochs)
    return network


def compare(what, ours, theirs):
    worst = float((ours - theirs).abs().max())
    print(f"{what}: {len(ours)} scores from {float(ours.min()):.5f} to "
          f"{float(ours.max()):.5f}, largest difference {worst:.1e}")
    return bool(worst <= TOLERANCE)


def exchange(network, name, table, columns, images, folder):
    """Into the database, scored there, and back; False where they differ."""
    to_database = os.path.join(folder, "to_database.safetensors")
    from_database = os.path.join(folder, "from_database.safetensors")

    network.save(to_database)
    version = import_model(name, to_database)
    print(f"imported as version {version} of model {name}")
    _, ours = network.score(images)
    theirs = scores_in_database(table, name, columns)
    good = compare("PyTorch against the database", ours, theirs)

    export_model(name, from_database)
    tensors, metadata = read_safetensors(from_database)
    print("exported, with the config", metadata["config"])
    for tensor in network.tensors:
        if not torch.equal(tensors[tensor], network.tensors[tensor].detach()):
            print(f"tensor {tensor} has changed")
            good = False
    _, again = Network.load(from_database).score(images)
    return compare("read back", ours, again) and good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--table", default="scans")
    parser.add_argument("--columns", default="rgb,aux",
                        help="of the modalities, rgb first")
    parser.add_argument("--model", default="from_pytorch")
    parser.add_argument("--config", default="{}", help="JSON, see Config")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--teacher", help="a torchvision .pth file")
    parser.add_argument("--formula", action="store_true",
                        help="do not train: weights by the golden formula")
    options = parser.parse_args()

    columns = options.columns.split(",")
    config = Config.from_json(json.dumps(
        {**json.loads(options.config), "n_aux": len(columns) - 1}))
    _, pictures = read_scans(options.table, columns)
    images = prepare_all(pictures, config.input_size)
    if options.formula:
        network = Network(config, formula_tensors(config, torch.float32))
    else:
        network = train(config, images,
                        read_teacher(options.teacher, config), options.epochs)
    with tempfile.TemporaryDirectory() as folder:
        good = exchange(network, options.model, options.table, columns, images,
                        folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
