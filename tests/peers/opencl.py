# SPDX-License-Identifier: Apache-2.0
"""What measure.py times on OpenCL, beside our own cpu backend, and what report.py holds it against."""

# DLPrimitives' better algorithm on PoCL with two threads of Zen 5 (456 GFLOP/s): forward, data, weights in GFLOP/s.
LAYERS = {
    'LeNet-5 conv1': ('conv2d:n64c1h32w32_oc6k5', (1.94, 0.92, 2.52)),
    'LeNet-5 conv2': ('conv2d:n64c6h14w14_oc16k5', (11.41, 7.72, 13.85)),
    'VGG conv1_2': ('conv2d:n1c64h224w224_oc64k3p1', (25.39, 22.94, 21.56)),
    'VGG conv3_2': ('conv2d:n1c256h56w56_oc256k3p1', (56.77, 42.35, 48.61)),
    'VGG conv5_1': ('conv2d:n1c512h14w14_oc512k3p1', (30.99, 52.03, 45.81)),
    'ResNet conv1': ('conv2d:n1c3h224w224_oc64k7s2p3', (22.53, 21.4, 23.6)),
    'ResNet 3x3': ('conv2d:n1c128h28w28_oc128k3p1', (33.97, 31.53, 31.47)),
    'ResNet 1x1, more': ('conv2d:n1c64h56w56_oc256k1', (65.43, 49.81, 48.31)),
    'ResNet 1x1, fewer': ('conv2d:n1c1024h14w14_oc256k1', (48.89, 53.74, 82.23)),
    'VGG-like 64': ('conv2d:n64c64h32w32_oc64k3p1', (22.37, 24.98, 21.55)),
    'VGG-like 256': ('conv2d:n64c256h8w8_oc256k3p1', (49.27, 47.87, 53.2)),
    'MobileNetV2 depthwise, stride 2': ('conv2d:n1c96h112w112_oc96k3s2p1g96', (0.14, 0.13, 0.26)),
    'MobileNetV2 depthwise': ('conv2d:n1c384h14w14_oc384k3p1g384', (8.37, 1.16, 0.44)),
    'SGEMM 1024': ('linear:n1024c1024_o1024', None),
    'SGEMM 512': ('linear:n512c512_o512', None),
    'MLP': ('linear:n64c784_o512', None),
}
DIRECTIONS = {'forward': 'forward', 'backward_data': 'data', 'backward_weights': 'weights'}
# (network, mode): batch, images/s at least, of the cpu backend's speed at least
NETWORKS = {
    ('lenet5', 'train'): (64, 20000, 0.3),
    ('vgg_cifar', 'train'): (64, 166, 0.5),
    ('mlp', 'train'): (64, None, None),
    ('resnet18', 'train'): (8, None, None),
    ('vgg16', 'infer'): (1, None, None),
    ('resnet50', 'infer'): (1, None, None),
    ('squeezenet1_1', 'infer'): (1, None, None),
    ('mobilenet_v2', 'infer'): (1, None, None),
    ('style', 'style'): (1, None, None),
}
TIMES_DLPRIMITIVES, TIMES_DLPRIMITIVES_DEPTHWISE, OF_PEAK, OF_CPU = 5, 20, 0.55, 0.5
GEMM_BARS = {'SGEMM 1024': 300}
OF_CPU_GEMM = 0.6
FIRST_STEP = {'cold': 5.0, 'warm': 0.3}


def layer_bar(name, direction, peak):
    """GFLOP/s at least; None: there is no such bar."""
    case, theirs = LAYERS[name]
    if not theirs:
        return GEMM_BARS.get(name) if direction == 'forward' else None
    rate = theirs[list(DIRECTIONS).index(direction)]
    if 'g' in case.split('_', 1)[1]:
        return TIMES_DLPRIMITIVES_DEPTHWISE * rate
    return min(TIMES_DLPRIMITIVES * rate, OF_PEAK * peak)
