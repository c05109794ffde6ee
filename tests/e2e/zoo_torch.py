# SPDX-License-Identifier: Apache-2.0
"""zoo_torch.py ZOO_SCORES FOLDER NAME...: networks of the zoo against torchvision's, with random weights.

Weights are written as safetensors without a note of what they are for; ZOO_SCORES finds that out, runs them and
writes its scores, and PyTorch computes the same in double precision. Exits 77 without torchvision."""
import json
import struct
import subprocess
import sys

try:
    import numpy
    import torch
    import torchvision
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

TOLERANCE = 1e-4
TYPES = {torch.float32: "F32", torch.int64: "I64"}


def write(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read(path, name):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8 : 8 + length])[name]
    begin, end = entry["data_offsets"]
    return torch.tensor(numpy.frombuffer(data[8 + length + begin : 8 + length + end], "<f4").reshape(entry["shape"]))


def model_of(name, side):
    if name == "vgg19":  # without its classifier
        whole = torchvision.models.vgg19(weights=None)
        del whole.classifier
        whole.forward = lambda x: whole.features(x)
        return whole
    model = getattr(torchvision.models, name)(weights=None, num_classes=10)
    if name == "vgg16":  # its first linear layer for the maps that there are, instead of averages of 7 x 7
        model.avgpool = torch.nn.Identity()
        model.classifier[0] = torch.nn.Linear(512 * (side // 32) ** 2, 4096)
    return model


def randomize(model):
    """Batch norms that do something, biases that are seen."""
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith("running_mean") or name.endswith("bias"):
            tensor.normal_(0, 0.1)


def check(program, folder, name, height, width):
    torch.manual_seed(1)
    model = model_of(name, height).eval()
    picture = torch.randn(2, 3, height, width)
    with torch.no_grad():
        randomize(model)
    weights, pictures, scores = (f"{folder}/{part}.safetensors" for part in ("weights", "pictures", "scores"))
    write(weights, model.state_dict())
    write(pictures, {"picture": picture})
    found = subprocess.run([program, weights, pictures, scores], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    with torch.no_grad():
        wanted = model.double()(picture.double())
    got = read(scores, "scores").double()
    error = ((got.flatten() - wanted.flatten()).abs().max() / wanted.abs().max()).item()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"{name} {height}x{width}: {parameters} parameters, largest difference {error:.2e}, found as {found}")
    return found == name and got.numel() == wanted.numel() and error <= TOLERANCE


def main():
    sizes = {"vgg16": (32, 32), "vgg19": (32, 48), "squeezenet1_1": (57, 47)}
    good = [check(sys.argv[1], sys.argv[2], name, *sizes.get(name, (64, 61))) for name in sys.argv[3:]]
    sys.exit(0 if all(good) else 1)


main()
