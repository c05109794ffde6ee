# SPDX-License-Identifier: Apache-2.0
"""The networks of the zoo in PyTorch, with random weights, and their export to ONNX."""
import os

import torch
import torch.nn as nn

SHAPES = {'lenet5': (1, 28, 28), 'mlp': (1, 28, 28), 'vgg_cifar': (3, 32, 32)}


def lenet5():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                         nn.Linear(84, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                         nn.Linear(512, 10))


def vgg_cifar():
    layers, before = [], 3
    for width in (64, 128, 256):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
                   nn.MaxPool2d(2)]
        before = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 4 * 4, 10))


def build(name):
    own = {'lenet5': lenet5, 'mlp': mlp, 'vgg_cifar': vgg_cifar}
    if name in own:
        return own[name]()
    import torchvision.models
    return getattr(torchvision.models, name)()


def shape(name, batch):
    return (batch,) + SHAPES.get(name, (3, 224, 224))


def classes(name):
    return 10 if name in SHAPES else 1000


def vgg19_features(pool):
    """To conv5_1, frozen."""
    layers, before = [], 3
    for width in [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512]:
        if not width:
            layers.append(nn.MaxPool2d(2) if pool == 'max' else nn.AvgPool2d(2))
            continue
        layers.append(nn.Conv2d(before, width, 3, padding=1))
        nn.init.kaiming_normal_(layers[-1].weight)
        before = width
    for layer in layers:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)
    return layers


def export(name, folder):
    """name.onnx with a free batch; batch normalisation is folded into the convolutions by the exporter."""
    path = os.path.join(folder, name + '.onnx')
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        torch.manual_seed(1)
        torch.onnx.export(build(name).eval(), torch.rand(shape(name, 1)), path + '.part', input_names=['image'],
                          output_names=['scores'], dynamic_axes={'image': {0: 'n'}, 'scores': {0: 'n'}})
        os.rename(path + '.part', path)
    return path


if __name__ == '__main__':
    import sys
    for network in sys.argv[2:]:
        print(export(network, sys.argv[1]))
