"""
tests/bench/torch_peer.py
    Time PyTorch, float32, at the work of mmrd.

    torch_peer.py DIR [--modes eager,frozen,train] [--threads 2]
                  [--warmup 2] [--runs 5] [--batch 16] [--serve]

DIR is a case (peer_case.py).  Modes:

    eager    the network as written, one scan: images -> blurred map
    frozen   the same traced, frozen, and optimised for inference, so that
             the batch norms are folded into the convolutions
    train    one Adam step on teacher features that are already computed,
             `batch` scans; kept in float32, to spare PyTorch the conversion

A mode's map is checked against DIR/map.f32 before anything is timed.  The
modes take turns (A B A B ...).  One JSON object a line; seconds per scan, a
training step divided by its batch.  With --serve: a line {"ready": ...} and
then one run for each line read that names a mode, so that another program
can have its own turns between.
"""

import argparse
import json
import statistics
import sys
import time


def prepare_eager(network, images, wanted, args):
    import torch
    from peer_case import check_map, scorer
    model = scorer(network)

    def run():
        with torch.no_grad():
            return model(*images)

    return run, 1, {"map_error": check_map(run()[0], wanted, "eager")}


def prepare_frozen(network, images, wanted, args):
    import torch
    from peer_case import check_map, scorer
    with torch.no_grad():
        model = torch.jit.trace(scorer(network), tuple(images))
        model = torch.jit.optimize_for_inference(torch.jit.freeze(model))

    def run():
        with torch.no_grad():
            return model(*images)

    # The first calls compile.
    for _ in range(3):
        found = run()
    kinds = [node.kind() for node in model.graph.nodes()]
    return run, 1, {"map_error": check_map(found[0], wanted, "frozen"),
                    "batch_norms_left": kinds.count("aten::batch_norm")}


def prepare_train(network, images, wanted, args):
    import torch
    from mmrd_reference import adam, formula_images, train_step
    network = network.to(torch.float32)
    features = network.cache(formula_images(network.config, args.batch,
                                            torch.float32),
                             keep=torch.float32)
    optimizer = adam(network.learned().values())
    network.training = True

    def run():
        return train_step(network, optimizer, features)

    return run, args.batch, {"batch": args.batch, "first_loss": run()[0]}


PREPARE = {"eager": prepare_eager, "frozen": prepare_frozen,
           "train": prepare_train}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--modes", default="eager,frozen,train")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--serve", action="store_true")
    args = parser.parse_args()

    try:
        import torch
    except ImportError:
        print(json.dumps({"peer": "torch",
                          "skipped": "PyTorch is not installed"}))
        return
    from peer_case import load_case
    torch.set_num_threads(args.threads)
    network, images, wanted = load_case(args.folder)
    config = network.config
    about = {"peer": "torch", "version": torch.__version__,
             "threads": args.threads, "arch": config.arch,
             "prior_at": config.prior_at, "n_aux": config.n_aux,
             "size": config.input_size}

    runs, scans, notes = {}, {}, {}
    for mode in args.modes.split(","):
        runs[mode], scans[mode], notes[mode] = PREPARE[mode](
            network, images, wanted, args)

    def seconds(mode):
        start = time.perf_counter()
        runs[mode]()
        return (time.perf_counter() - start) / scans[mode]

    for _ in range(args.warmup):
        for mode in runs:
            seconds(mode)
    if args.serve:
        print(json.dumps({"ready": list(runs), **about, "notes": notes}),
              flush=True)
        for line in sys.stdin:
            mode = line.strip()
            print(json.dumps({"peer": "torch", "mode": mode,
                              "seconds": seconds(mode)}), flush=True)
        return
    taken = {mode: [] for mode in runs}
    for _ in range(args.runs):
        for mode in runs:
            taken[mode].append(seconds(mode))
    for mode in runs:
        print(json.dumps({**about, "mode": mode, **notes[mode],
                          "seconds": taken[mode],
                          "median": statistics.median(taken[mode])}))


if __name__ == "__main__":
    main()
