"""
tests/bench/onnx_export.py
    DIR/model.safetensors -> DIR/model.onnx, for onnx_peer.mjs.

    onnx_export.py DIR [--opset 17]

Inputs rgb, aux, ... (1,3,S,S), output map (1,S,S), blurred; float32.
Written by PyTorch's exporter from the reference (tests/golden); the onnx
package is not needed.
"""

import argparse
import json
import os
import warnings


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--opset", type=int, default=17)
    args = parser.parse_args()

    try:
        import torch
    except ImportError:
        print(json.dumps({"peer": "onnx_export",
                          "skipped": "PyTorch is not installed"}))
        return
    from peer_case import check_map, load_case, scorer
    # Of PyTorch 1.13's exporter; the file is checked by its user.
    warnings.filterwarnings("ignore", "The shape inference of prim::Constant")
    network, images, wanted = load_case(args.folder)
    model = scorer(network)
    with torch.no_grad():
        check_map(model(*images)[0], wanted, "onnx_export")
        torch.onnx.export(model, tuple(images),
                          os.path.join(args.folder, "model.onnx"),
                          input_names=list(network.config.modalities),
                          output_names=["map"], opset_version=args.opset)


if __name__ == "__main__":
    main()
