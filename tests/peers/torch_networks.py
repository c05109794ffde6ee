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


class Block(nn.Module):
    """A residual block: two 3x3, or 1x1, 3x3 and 1x1 to four times as many channels."""

    def __init__(self, before, width, stride, bottleneck):
        super().__init__()
        after = 4 * width if bottleneck else width
        shapes = ([(before, width, 1, 1), (width, width, 3, stride), (width, after, 1, 1)] if bottleneck else
                  [(before, width, 3, stride), (width, width, 3, 1)])
        self.count = len(shapes)
        for i, (c, o, kernel, s) in enumerate(shapes, 1):
            setattr(self, 'conv%d' % i, nn.Conv2d(c, o, kernel, stride=s, padding=kernel // 2, bias=False))
            setattr(self, 'bn%d' % i, nn.BatchNorm2d(o))
        self.downsample = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False),
                                            nn.BatchNorm2d(after))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, 'bn%d' % i)(getattr(self, 'conv%d' % i)(y))
            y = torch.relu_(y) if i < self.count else y
        return torch.relu_(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    """He, Zhang, Ren and Sun 2015; tensors are called as torchvision's."""

    def __init__(self, counts, bottleneck):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1, self.maxpool = nn.BatchNorm2d(64), nn.MaxPool2d(3, stride=2, padding=1)
        before = 64
        for i, count in enumerate(counts):
            blocks = []
            for j in range(count):
                blocks.append(Block(before, 64 << i, 2 if i and not j else 1, bottleneck))
                before = (256 if bottleneck else 64) << i
            setattr(self, 'layer%d' % (i + 1), nn.Sequential(*blocks))
        self.fc = nn.Linear(before, 1000)

    def forward(self, x):
        x = self.maxpool(torch.relu_(self.bn1(self.conv1(x))))
        for i in range(1, 5):
            x = getattr(self, 'layer%d' % i)(x)
        return self.fc(x.mean((2, 3)))


class VGG16(nn.Module):
    """Simonyan and Zisserman 2014; tensors are called as torchvision's."""

    def __init__(self):
        super().__init__()
        layers, before = [], 3
        for width in [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0]:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(True)] if width else [nn.MaxPool2d(2)]
            before = width or before
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(),
                                        nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 1000))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


OWN = {'lenet5': lenet5, 'mlp': mlp, 'vgg_cifar': vgg_cifar}
WITHOUT_TORCHVISION = {'resnet18': lambda: ResNet((2, 2, 2, 2), False), 'resnet50': lambda: ResNet((3, 4, 6, 3), True),
                       'vgg16': VGG16}


def build(name):
    if name in OWN:
        return OWN[name]()
    try:
        import torchvision.models
    except ImportError:
        return WITHOUT_TORCHVISION[name]()
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


def features(layers, image):
    """What style is taken from, conv1_1 to conv5_1, and content: conv4_2."""
    x, number, styles, content = image, 0, [], None
    for layer in layers:
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            x = torch.relu(x)
            number += 1
            styles += [x] if number in (1, 3, 5, 9, 13) else []
            content = x if number == 10 else content
    return styles, content


def gram(maps):
    flat = maps.flatten(2)[0]
    return flat @ flat.t() / flat.numel()


def style_loss(layers, shape, device='cpu'):
    """image -> loss of style and content, as Gatys, Ecker and Bethge have it, with random targets."""
    with torch.no_grad():
        grams = [gram(f) for f in features(layers, torch.rand(shape, device=device))[0]]
        target = features(layers, torch.rand(shape, device=device))[1]

    def loss(image):
        styles, content = features(layers, image)
        style = sum(((gram(f) - g) ** 2).sum() for f, g in zip(styles, grams)) * 1e3
        return style + ((content - target) ** 2).mean()
    return loss


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
