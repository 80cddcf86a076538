"""
tests/bench/peer_case.py
    A case: one model, one scan and the map mmrd makes of them, in a folder
    that every peer reads.  Also what the peers in Python share.

    DIR/model.safetensors   a model file of mmrd
    DIR/rgb.f32 aux.f32 ... (3,S,S) normalised float32, little-endian
    DIR/map.f32             (S,S) blurred map, the same way

Whoever compares mmrd with a peer exports its model and writes the other
files; as a program, this makes a stand-in case from the formula's weights
(tests/golden), its map computed in float64:

    peer_case.py DIR [--arch resnet18] [--prior-at next] [--n-aux 1]
                     [--size 256]
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden"))

# What float32 can meet, relative to max(|value|, rms of the map).
MAP_TOLERANCE = 1e-4


def _read(folder, name):
    import numpy
    import torch
    values = numpy.fromfile(os.path.join(folder, name), dtype="<f4")
    return torch.from_numpy(values.astype("float32"))


def load_case(folder):
    """-> (Network in float32, [image per modality (1,3,S,S)], map (S,S))"""
    from mmrd_reference import Network
    network = Network.load(os.path.join(folder, "model.safetensors"))
    size = network.config.input_size
    images = [_read(folder, modality + ".f32").reshape(1, 3, size, size)
              for modality in network.config.modalities]
    return network, images, _read(folder, "map.f32").reshape(size, size)


def map_error(found, wanted):
    """Largest deviation relative to max(|value|, rms of the map)."""
    found, wanted = found.double(), wanted.double()
    rms = wanted.square().mean().sqrt()
    error = ((found - wanted).abs() / wanted.abs().clamp_min(rms)).max()
    return float(error)


def check_map(found, wanted, who):
    """Nothing is timed that does not compute the same."""
    error = map_error(found, wanted)
    if not error <= MAP_TOLERANCE:
        sys.exit(f"{who}: the map differs from map.f32 by {error:.2e} "
                 f"(allowed {MAP_TOLERANCE:.0e}); nothing was timed")
    return error


def scorer(network):
    """The network as a module: images -> map.

    The tensors are its buffers, so that tracing and exporting see weights
    and not constants strewn about the graph.
    """
    import torch

    class Scorer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, tensor in network.tensors.items():
                self.register_buffer(name.replace(".", "_"), tensor)
            self.register_buffer("blur", network._blur)

        def forward(self, *images):
            return network.map(images)

    return Scorer().eval()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--arch", default="resnet18")
    parser.add_argument("--prior-at", default="next")
    parser.add_argument("--n-aux", type=int, default=1)
    parser.add_argument("--size", type=int, default=256)
    args = parser.parse_args()

    import torch
    from mmrd_reference import (Config, Network, formula_images,
                                formula_tensors)
    config = Config(arch=args.arch, input_size=args.size, n_aux=args.n_aux,
                    prior_at=args.prior_at)
    network = Network(config, formula_tensors(config, torch.float64))
    images = formula_images(config, 1, torch.float64)
    maps, _ = network.score(images)

    os.makedirs(args.folder, exist_ok=True)
    network.to(torch.float32).save(
        os.path.join(args.folder, "model.safetensors"))
    files = dict(zip(config.modalities, images), map=maps)
    for name, tensor in files.items():
        tensor.numpy().astype("<f4").tofile(
            os.path.join(args.folder, name + ".f32"))


if __name__ == "__main__":
    main()
