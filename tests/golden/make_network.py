"""
tests/golden/make_network.py
    Write the golden files of this directory, or hold files against the
    reference implementation (mmrd_reference.py).

    make_network.py                     write every file, beside this script
    make_network.py NAME ...            write these
    make_network.py --check FILE ...    compute the same again and compare
    make_network.py --check --float32 FILE ...
                                        what float32 makes of them

Everything is computed in float64 from weights and inputs that a formula
gives (formula_tensors, formula_images), so a test needs no weight file.
"""

import argparse
import dataclasses
import json
import math
import os
import sys

import torch

from mmrd_reference import (Config, Network, adam, formula_images,
                            formula_tensors, learned_names, tensor_shapes,
                            teacher_norms, train_step)

HERE = os.path.dirname(os.path.abspath(__file__))
LAMBDA = 0.1
# Sample i of a tensor sits at the fraction i * 0.618... (mod 1) of its size:
# spread evenly over any size, and over all its dimensions.
GOLDEN_RATIO = 2654435769               # times 2^-32
SAMPLES = 6
GRAD_SAMPLES = 4

# Gradients recorded where not all are: each kind of tensor, the ends of every
# chain, both sides of what joins.  Names that a network lacks are left out.
SOME_GRADS = """
ocbe.conv1.weight ocbe.bn1.weight ocbe.bn1.bias ocbe.conv2.weight
ocbe.conv3.weight ocbe.bn3.bias ocbe.blocks.0.conv1.weight
ocbe.blocks.0.skip.conv.weight ocbe.blocks.0.skip.bn.weight
ocbe.blocks.1.conv2.weight ocbe.blocks.1.bn2.bias decoder.3.0.conv1.weight
decoder.3.0.bn1.weight decoder.3.0.conv2.weight decoder.3.0.skip.conv.weight
decoder.3.1.conv2.weight decoder.3.join.conv.weight decoder.2.0.conv1.weight
decoder.2.0.skip.conv.weight decoder.2.join.conv.weight
decoder.2.join.bn.weight decoder.1.0.conv1.weight decoder.1.0.skip.bn.bias
decoder.1.join.conv.weight decoder.1.join.bn.bias decoder.1.1.conv2.weight
decoder.1.1.bn2.weight prototypes.rgb.1 prototypes.aux.1 prototypes.rgb.2
prototypes.aux.2 prototypes.rgb.3 prototypes.aux.3 interaction.1.fc1.weight
interaction.2.fc1.weight interaction.2.fc2.weight interaction.2.fc2.bias
interaction.2.spatial.weight interaction.2.spatial.bias
interaction.3.fc1.weight interaction.3.fc1.bias interaction.3.spatial.weight
""".split()

AFTER = """
ocbe.conv1.weight decoder.1.0.conv1.weight prototypes.rgb.2 prototypes.aux2.2
ocbe.bn1.running_mean ocbe.bn1.running_var decoder.1.1.bn2.running_var
interaction.2.fc1.weight
""".split()


@dataclasses.dataclass(frozen=True)
class Job:
    config: Config
    steps: int = 0                      # Adam steps recorded; 0: forward only
    grads: str = "some"                 # all | some | none


def small(**options):
    return Config(input_size=64, **options)


JOBS = {
    "resnet18_next_aux1": Job(small(), 5),
    "resnet18_same_aux1": Job(small(prior_at="same"), 5),
    "resnet18_next_aux0": Job(small(n_aux=0), 5),
    "resnet18_same_aux2": Job(small(prior_at="same", n_aux=2), 5, "all"),
    "resnet50_next_aux1": Job(small(arch="resnet50"), 2, "none"),
    "wide_resnet50_2_same_aux1": Job(small(arch="wide_resnet50_2",
                                           prior_at="same")),
    "resnet34_next_aux1": Job(small(arch="resnet34")),
    # Stages of different numbers of prototypes, so that none is mistaken.
    "resnet18_modulated_aux": Job(small(fusion="modulated_aux",
                                        interaction=False,
                                        prototypes=(7, 33, 50)), 2),
    "resnet18_add_no_priors": Job(small(fusion="add", prototypes=(0, 0, 0)),
                                  2),
    "resnet18_none_same_aux2": Job(small(fusion="none", prior_at="same",
                                         n_aux=2, interaction=False)),
}


# ---------------------------------------------------------------------------
# Computing: a tree of full tensors in the structure of the file

def compute_forward(network, images):
    """teacher_rgb_1 ... score; running statistics throughout."""
    config = network.config
    tree = {}
    with torch.no_grad():
        features = network.features(images)
        target = network.target(features)
        priors = network.priors(features)
        student = network.student(target, priors)
        for stage in (1, 2, 3):
            for modality, of_modality in zip(config.modalities, features):
                tree[f"teacher_{modality}_{stage}"] = of_modality[stage - 1]
            tree[f"target_{stage}"] = target[stage - 1]
            tree[f"student_{stage}"] = student[stage - 1]
            for modality, p in zip(config.modalities, priors.get(stage, [])):
                tree[f"prior_{modality}_{stage}"] = p
        raw = network.map_raw(target, student)
        blurred = network.blur(raw)
        maps, scores = network.score(images)
        assert torch.allclose(maps, blurred, rtol=1e-4, atol=0)
        tree["map_raw"] = raw
        tree["map"] = blurred
        tree["score"] = scores.tolist()
    return tree


def compute_train(network, images, steps):
    """losses, gradients of the first step, every tensor after the last."""
    with torch.no_grad():
        features = network.features(images)
    learned = network.learned()
    optimizer = adam(learned.values())
    network.training = True
    losses = []
    for step in range(steps):
        names = ("loss", "distillation", "prototype")
        losses.append(dict(zip(names, train_step(network, optimizer, features,
                                                 LAMBDA))))
        if step == 0:
            grad = {name: torch.zeros_like(t) if t.grad is None
                    else t.grad.clone() for name, t in learned.items()}
    network.training = False
    return {"lr": 0.001, "betas": [0.5, 0.999], "lambda": LAMBDA,
            "steps": losses, "grad": grad,
            "after": {name: t.detach()
                      for name, t in network.tensors.items()
                      if not name.startswith("teacher.")}}


def compute_network(config, batch, steps, dtype):
    tensors = formula_tensors(config, dtype)
    images = formula_images(config, batch, dtype)
    network = Network(config, tensors)
    tree = compute_forward(network, images)
    if steps:
        tree["train"] = compute_train(network, images, steps)
    return tree


def compute_adapt(config, scans, order, epochs, batch, dtype):
    """Running statistics per modality, and what the teacher then sees."""
    network = Network(config, formula_tensors(config, dtype))
    images = formula_images(config, scans, dtype)
    network.adapt(images, order, epochs, batch)
    tree = {}
    for modality in config.modalities:
        for bn, _ in teacher_norms(config):
            for what in ("running_mean", "running_var"):
                name = f"teacher.{modality}.{bn}.{what}"
                tree[name] = network.tensors[name]
    with torch.no_grad():
        for modality, of_modality in zip(
                config.modalities, network.features([i[:2] for i in images])):
            for stage, f in zip((1, 2, 3), of_modality):
                tree[f"teacher_{modality}_{stage}"] = f
    return tree


# ---------------------------------------------------------------------------
# Writing

def entry(tensor, samples=SAMPLES):
    flat = tensor.detach().reshape(-1)
    n = len(flat)
    places = dict.fromkeys((i * GOLDEN_RATIO % 2 ** 32) * n >> 32
                           for i in range(samples))
    return {"shape": list(tensor.shape), "l2": float(flat.norm()),
            "mean": float(flat.mean()),
            "at": {str(at): float(flat[at]) for at in places}}


def head(config, batch):
    shapes = tensor_shapes(config)
    count = sum(torch.Size(shape).numel() for shape in shapes.values())
    learned = sum(torch.Size(shapes[name]).numel()
                  for name in learned_names(config))
    return {"script": "tests/golden/make_network.py",
            "torch": torch.__version__, "dtype": "float64",
            "arch": config.arch, "prior_at": config.prior_at,
            "fusion": config.fusion, "interaction": config.interaction,
            "prototypes": list(config.prototypes), "n_aux": config.n_aux,
            "batch": batch, "size": config.input_size,
            "tensors": len(shapes), "parameters": count, "learned": learned}


def to_json(tree, depth=0):
    """One tensor a line: small, and a difference shows which tensor."""
    leaf = not isinstance(tree, dict) or "shape" in tree
    if leaf:
        return json.dumps(tree, separators=(",", ":"))
    pad = " " * (depth + 1)
    lines = [f"{pad}{json.dumps(k)}: {to_json(v, depth + 1)}"
             for k, v in tree.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"


def write(name, tree):
    path = os.path.join(HERE, name + ".json")
    with open(path, "w") as file:
        file.write(to_json(tree) + "\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


def make_network(name, job):
    batch = 2
    tree = compute_network(job.config, batch, job.steps, torch.float64)
    train = tree.pop("train", None)
    out = head(job.config, batch)
    for key, value in tree.items():
        out[key] = value if key == "score" else entry(value)
    if train:
        grads = {"all": list(train["grad"]), "some": SOME_GRADS,
                 "none": []}[job.grads]
        train["grad"] = {k: entry(train["grad"][k], GRAD_SAMPLES)
                         for k in grads if k in train["grad"]}
        train["after"] = {k: entry(train["after"][k], GRAD_SAMPLES)
                          for k in AFTER if k in train["after"]}
        out["train"] = train
    write(name, out)


def make_adapt():
    config = small()
    scans, order, epochs, batch = 5, [3, 0, 4, 1, 2], 2, 2
    tree = compute_adapt(config, scans, order, epochs, batch, torch.float64)
    out = {**head(config, batch), "scans": scans, "order": order,
           "bn_epochs": epochs, "momentum": 0.1}
    for key, value in tree.items():
        out[key] = entry(value, GRAD_SAMPLES)
    write("adapt", out)


# ---------------------------------------------------------------------------
# Checking

class Worst:
    """Largest deviations, by kind of entry."""

    def __init__(self):
        self.of = {}
        self.count = 0

    def see(self, kind, name, error):
        self.count += 1
        error = float("inf") if math.isnan(error) else error
        if error > self.of.get(kind, (-1.0, ""))[0]:
            self.of[kind] = (error, name)


def compare(worst, name, wanted, got, kind):
    if isinstance(wanted, dict) and "shape" in wanted:
        assert wanted["shape"] == list(got.shape), name
        flat = got.detach().double().reshape(-1)
        rms = wanted["l2"] / len(flat) ** 0.5
        tiny = 1e-300
        worst.see(kind + " l2", name, abs(float(flat.norm()) - wanted["l2"]) /
                  max(wanted["l2"], tiny))
        worst.see(kind + " mean", name, abs(float(flat.mean()) -
                  wanted["mean"]) / max(abs(wanted["mean"]), rms, tiny))
        for at, value in wanted["at"].items():
            worst.see(kind + " at", f"{name}[{at}]",
                      abs(float(flat[int(at)]) - value) /
                      max(abs(value), rms, tiny))
    elif isinstance(wanted, dict):
        for key, value in wanted.items():
            compare(worst, key, value, got[key], kind)
    elif isinstance(wanted, list):
        for i, (w, g) in enumerate(zip(wanted, got, strict=True)):
            compare(worst, f"{name} {i + 1}", w, g, kind)
    elif isinstance(wanted, float):
        worst.see(kind, name, abs(got - wanted) / max(abs(wanted), 1e-300))
    else:
        raise TypeError(f"{name}: {type(wanted)}")


def check(path, dtype):
    with open(path) as file:
        wanted = json.load(file)
    config = Config(
        arch=wanted["arch"], input_size=wanted["size"],
        prior_at=wanted["prior_at"], n_aux=wanted.get("n_aux", 1),
        fusion=wanted.get("fusion", "modulated"),
        interaction=wanted.get("interaction", True),
        prototypes=tuple(wanted.get("prototypes", (50, 50, 50))))
    about = head(config, wanted["batch"])
    for key in ("tensors", "parameters"):
        assert about[key] == wanted[key], (key, about[key], wanted[key])
    if "order" in wanted:
        got = compute_adapt(config, wanted["scans"], wanted["order"],
                            wanted["bn_epochs"], wanted["batch"], dtype)
    else:
        got = compute_network(config, wanted["batch"],
                              len(wanted.get("train", {}).get("steps", [])),
                              dtype)
    worst = Worst()
    for key, value in wanted.items():
        if key == "train":
            for part in ("steps", "grad", "after"):
                for i, (k, v) in enumerate(
                        value[part].items() if part != "steps" else
                        enumerate(value[part], 1)):
                    if part == "steps":
                        for what, loss in v.items():
                            compare(worst, what, loss,
                                    got[key][part][i][what], f"loss {k}")
                    else:
                        compare(worst, k, v, got[key][part][k], part)
        elif key in got:
            compare(worst, key, value, got[key],
                    "statistics" if "running" in key else
                    key if key.startswith(("map", "score")) else
                    key.split("_")[0])
    print(f"{path}: {worst.count} numbers, {str(dtype).split('.')[1]}")
    for kind, (error, name) in worst.of.items():
        print(f"  {kind:16} {error:.2e}  {name}")
    return max(error for error, _ in worst.of.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    if args.check:
        dtype = torch.float32 if args.float32 else torch.float64
        errors = [check(path, dtype) for path in args.names]
        # Nothing is demanded of float32 here: it is shown.
        sys.exit(0 if args.float32 or max(errors) < 1e-9 else 1)
    for name in args.names or [*JOBS, "adapt"]:
        if name == "adapt":
            make_adapt()
        else:
            make_network(name, JOBS[name])


if __name__ == "__main__":
    main()
