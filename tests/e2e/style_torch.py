# SPDX-License-Identifier: Apache-2.0
"""style_torch.py WEIGHTS LOSSES: computes again, with PyTorch in double precision, what style_losses wrote.

Written from the paper's formulas; shares nothing with Linnet but the files. Exits 77 without PyTorch."""
import json
import struct
import sys

try:
    import numpy
    import torch
    import torch.nn.functional as functional
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

TYPES = {"F32": "<f4", "F64": "<f8"}
TOLERANCE = 1e-4


def read(path):
    """The tensors of a safetensors file, in double precision."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = numpy.frombuffer(data[8 + length + begin : 8 + length + end], TYPES[entry["dtype"]])
        tensors[name] = torch.tensor(raw.reshape(entry["shape"]).astype("f8"))
    return tensors


def features(weights, picture):
    """relu1_1 to relu3_2 of VGG-19: input BGR, 0..255, minus the means of its training pictures."""
    mean = torch.tensor([103.939, 116.779, 123.68], dtype=torch.float64)
    x = 255 * picture.flip(0)[None] - mean[None, :, None, None]
    out, number = {}, 0
    for block, count in ((1, 2), (2, 2), (3, 2)):
        for layer in range(1, count + 1):
            x = functional.conv2d(x, weights[f"features.{number}.weight"], weights[f"features.{number}.bias"], padding=1)
            x = functional.relu(x)
            out[f"relu{block}_{layer}"] = x[0].flatten(1)
            number += 2
        x = functional.max_pool2d(x, 2)
        number += 1
    return out


def objective(weights, content, style, picture):
    """Losses in the order of Linnet's terms, and their weighted sum."""
    with torch.no_grad():
        wanted, painted = features(weights, content), features(weights, style)
    made = features(weights, picture)
    losses = [0.5 * ((made["relu3_2"] - wanted["relu3_2"]) ** 2).sum()]
    for layer in ("relu1_1", "relu2_1", "relu3_1"):
        (maps, positions), others = made[layer].shape, painted[layer].shape[1]
        gram = made[layer] @ made[layer].T
        target = painted[layer] @ painted[layer].T * positions / others  # another size: its mean, not its sum
        losses.append(((gram - target) ** 2).sum() / (4 * maps**2 * positions**2))
    across, down = picture[:, :, 1:] - picture[:, :, :-1], picture[:, 1:] - picture[:, :-1]
    losses.append((across**2).sum() + (down**2).sum())
    factors = [1e-3, 1 / 3, 1 / 3, 1 / 3, 1e4 / picture.numel()]
    return losses, sum(factor * loss for factor, loss in zip(factors, losses))


def main():
    weights, found = read(sys.argv[1]), read(sys.argv[2])
    picture = found["picture"].requires_grad_(True)
    losses, total = objective(weights, found["content"], found["style"], picture)
    total.backward()
    wanted = torch.stack([*losses, total]).detach()
    worst = ((found["losses"] - wanted).abs() / wanted).max().item()
    slope = (found["gradient"] - picture.grad).norm().item() / picture.grad.norm().item()
    largest = (found["gradient"] - picture.grad).abs().max().item() / picture.grad.abs().max().item()
    print(f"losses differ by {worst:.2e} at most, the gradient by {slope:.2e} (largest number {largest:.2e})")
    print("PyTorch:", *(f"{value:.7g}" for value in wanted.tolist()), f"gradient {picture.grad.norm().item():.7g}")
    sys.exit(0 if max(worst, slope, largest) <= TOLERANCE else 1)


main()
