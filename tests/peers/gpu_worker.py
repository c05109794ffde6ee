# SPDX-License-Identifier: Apache-2.0
"""PyTorch on a GPU, waiting to be timed and to be compared with Linnet: reads a JSON object a line, answers with one.
float32 without TF32. Layers are timed in blocks of runs, the device waited for behind each; networks step by step.

usage: gpu_worker.py DEVICE [BUILD]     DEVICE: cuda, or cpu to try it out; BUILD: where Linnet's library is
"""
import json
import re
import statistics
import sys
import time
import traceback

import torch
import torch.nn.functional as functional

import torch_networks as networks

DEVICE = torch.device(sys.argv[1])
ON_GPU = DEVICE.type == 'cuda'
LAYOUTS = {'nchw': torch.contiguous_format, 'nhwc': torch.channels_last}


def finish():
    if ON_GPU:
        torch.cuda.synchronize()


def settings(benchmark):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = benchmark


def summary(samples):
    return {'median_ms': 1e3 * statistics.median(samples), 'min_ms': 1e3 * min(samples), 'runs': len(samples)}


def timed(run, count):
    finish()
    start = time.perf_counter()
    for _ in range(count):
        run()
    finish()
    return (time.perf_counter() - start) / count


def measure_blocks(run, seconds):
    """A block takes a 64th of the time or one run."""
    count, start, samples = 1, time.perf_counter(), []
    while timed(run, count) * count < seconds / 64:
        count *= 2
    while len(samples) < 3 or time.perf_counter() - start < seconds:
        samples.append(timed(run, count))
    return summary(samples)


def measure_steps(run, seconds):
    start, samples = time.perf_counter(), []
    while time.perf_counter() - start < seconds / 4:  # clocks rise again after others had their turn
        timed(run, 1)
    start = time.perf_counter()
    while len(samples) < 3 or time.perf_counter() - start < seconds:
        samples.append(timed(run, 1))
    return summary(samples)


# ---- Layers ----

def numbers(text):
    """conv2d:n1c3h7w7_oc4k3s2p1nb -> {'n': 1, ..., 'nb': 0}"""
    return {key: int(value or 0) for key, value in re.findall(r'([a-z]+)(\d*)', text.split(':')[1])}


class Layer:
    """A convolution or a linear layer without bias: operands, and its three directions."""

    def __init__(self, case, layout='nchw'):
        torch.manual_seed(1)
        self.sizes = s = numbers(case)
        linear, kernel = case.startswith('linear'), s.get('k', 1)
        shape = (s['n'], s['c']) if linear else (s['n'], s['c'], s['h'], s['w'])
        depth = s['c'] * kernel * kernel // s.get('g', 1)
        weight = (s['o'], s['c']) if linear else (s['oc'], s['c'] // s.get('g', 1), kernel, kernel)
        self.x = torch.rand(shape, device=DEVICE) - .5
        self.weight = (torch.rand(weight, device=DEVICE) - .5) / depth ** .5
        self.linear, self.settings = linear, (s.get('s', 1), s.get('p', 0), 1, s.get('g', 1))
        self.gradient = torch.rand_like(self.forward()) - .5
        if not linear and layout == 'nhwc':
            for name in ('x', 'weight', 'gradient'):
                setattr(self, name, getattr(self, name).contiguous(memory_format=LAYOUTS[layout]))

    def forward(self):
        if self.linear:
            return functional.linear(self.x, self.weight)
        return functional.conv2d(self.x, self.weight, None, *self.settings)

    def backward(self, mask):
        stride, padding, _, groups = self.settings
        return torch.ops.aten.convolution_backward(
            self.gradient, self.x, self.weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, mask)

    def backward_data(self):
        return self.gradient @ self.weight if self.linear else self.backward([True, False, False])[0]

    def backward_weights(self):
        return self.gradient.t() @ self.x if self.linear else self.backward([False, True, False])[1]


def time_layer(job):
    settings(True)
    layer, best = held(('layer', job['case'], job['layout']), lambda: Layer(job['case'], job['layout'])), {}
    with torch.no_grad():
        for direction in ('forward', 'backward_data', 'backward_weights'):
            run = getattr(layer, direction)
            run()
            best[direction] = measure_blocks(run, job['seconds'])
    return {'directions': best}


# ---- Networks ----

kept = {}


def has_room():
    free_bytes, all_bytes = torch.cuda.mem_get_info() if ON_GPU else (0, 1)
    return 2 * free_bytes > all_bytes


def held(key, make):
    """What was made for the key; what was made for other work is let go where half of the device's memory is taken."""
    if key not in kept:
        for other in [k for k in kept if k[:2] != key[:2] and not has_room()]:
            del kept[other]
        if ON_GPU:
            torch.cuda.empty_cache()
        kept[key] = make()
    return kept[key]


def on_host(tensor):
    return tensor.pin_memory() if ON_GPU else tensor


def sender(tensor, resident, layout='nchw'):
    """() -> the tensor on the device: always the same one, or sent from host memory as Linnet's is."""
    if tensor.dim() == 4:
        tensor = tensor.contiguous(memory_format=LAYOUTS[layout])
    there = tensor.to(DEVICE) if resident else on_host(tensor)
    return (lambda: there) if resident else (lambda: there.to(DEVICE, non_blocking=True))


def training(job):
    net = networks.build(job['network']).to(DEVICE, memory_format=LAYOUTS[job['layout']]).train()
    loss, sgd = torch.nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=.01, momentum=.9)
    image = sender(torch.rand(networks.shape(job['network'], job['batch'])) - .5, job['resident'], job['layout'])
    label = sender(torch.randint(networks.classes(job['network']), (job['batch'],)), job['resident'])

    def run():
        sgd.zero_grad(set_to_none=True)
        loss(net(image()), label()).backward()
        sgd.step()
    return run


def inference(job):
    net = networks.build(job['network']).to(DEVICE, memory_format=LAYOUTS[job['layout']]).eval()
    image = sender(torch.rand(networks.shape(job['network'], job['batch'])) - .5, job['resident'], job['layout'])

    def run():
        with torch.no_grad():
            scores = net(image())
            return scores if job['resident'] else scores.cpu()
    return run


def style(job):
    layers = [layer.to(DEVICE) for layer in networks.vgg19_features('max')]
    shape = (1, 3, job['size'], job['size'])
    loss, picture = networks.style_loss(layers, shape, DEVICE), sender(torch.rand(shape), job['resident'])

    def run():
        image = picture().detach().requires_grad_(True)
        value = loss(image)
        value.backward()
        return (value, image.grad) if job['resident'] else (value.item(), image.grad.cpu())
    return run


def prepare(job):
    """(run, bytes of tensors that it has on the device at most)"""
    before = torch.cuda.memory_allocated() if ON_GPU else 0
    run = {'train': training, 'infer': inference, 'style': style}[job['mode']](job)
    for _ in range(3):
        run()
    finish()
    if not ON_GPU:
        return run, {}
    torch.cuda.reset_peak_memory_stats()
    run()
    finish()
    return run, {'allocated_bytes': torch.cuda.max_memory_allocated() - before}


def time_network(job):
    settings(True)
    key = ('network', job['network'] + job['mode'], job['layout'], job['resident'])
    run, memory = held(key, lambda: prepare(job))
    return dict(measure_steps(run, job['seconds']), **memory)


# ---- Comparing with Linnet ----

devices = {}


def linnet_device(selection):
    import linnet_library
    if selection not in devices:
        devices[selection] = linnet_library.Device(linnet_library.load(sys.argv[2]), selection)
    return linnet_library, devices[selection]


def blank(shape):
    """To be written: what is not stays no number."""
    return torch.full(tuple(shape), float('nan'))


def largest(got, wanted):
    """The largest difference in parts of the largest value."""
    wanted = wanted.detach()
    return ((got.to(wanted.device) - wanted).abs().max() / wanted.abs().max()).item()


def distance(got, wanted):
    """Length of the difference of all tensors in parts of their length."""
    pairs = [(g.to(w.device).double(), w.detach().double()) for g, w in zip(got, wanted)]
    return (sum(((g - w) ** 2).sum() for g, w in pairs) / sum((w ** 2).sum() for _, w in pairs)).sqrt().item()


def layer_text(case):
    s = numbers(case)
    if case.startswith('linear'):
        return 'input %dx1x1; layer: linear %d nb' % (s['c'], s['o'])
    return 'input %dx%dx%d; layer: conv %d k%d s%d p%d g%d nb' % (
        s['c'], s['h'], s['w'], s['oc'], s['k'], s.get('s', 1), s.get('p', 0), s.get('g', 1))


def check_layer(job):
    """The layer by itself, its gradients from a given one."""
    settings(False)
    kept.clear()
    linnet, device = linnet_device(job['device'])
    layer = Layer(job['case'])
    session = linnet.Session(device, layer_text(job['case']))
    value = session.layer('layer')
    session.set('layer.weight', layer.weight.cpu())
    session.differentiate(linnet.EVALUATE, value)
    image = layer.x.cpu() if not layer.linear else layer.x.cpu()[:, :, None, None]
    session.forward(image)
    with torch.no_grad():
        wanted = layer.forward()
        session.backward(layer.gradient.cpu(), value)
        errors = {'forward': largest(session.read(value, blank(wanted.shape)), wanted)}
        got = session.read_gradient(session.model.image, blank(image.shape)).reshape(layer.x.shape)
        errors['backward_data'] = largest(got, layer.backward_data())
        got = session.read_gradient(session.parameter('layer.weight'), blank(layer.weight.shape))
        errors['backward_weights'] = largest(got, layer.backward_weights())
    found = session.implementations()
    session.close()
    return {'errors': errors, 'implementations': found, 'label': device.label()}


def weights_of(session, net):
    """Linnet's first weights in the network of PyTorch; returns Linnet's names in the order of its parameters."""
    names, state = session.variables(), net.state_dict()
    theirs = [n for n in state if not n.endswith('num_batches_tracked')]
    pairs = {n: n for n in names} if set(names) == set(theirs) else dict(zip(theirs, names))
    state.update({n: session.get(ours, blank(names[ours])) for n, ours in pairs.items()})
    net.load_state_dict(state)
    return [pairs[n] for n, _ in net.named_parameters()]


def theirs(net, image, label, trains):
    """[scores], [loss], [gradients of the parameters]: the last two where it trains."""
    net.zero_grad(set_to_none=True)
    with torch.set_grad_enabled(trains):
        scores = net(image)
    if not trains:
        return {'scores': [scores]}
    loss = functional.cross_entropy(scores, label)
    loss.backward()
    return {'scores': [scores], 'loss': [loss], 'gradients': [p.grad for p in net.parameters()]}


def ours(session, parameters, shapes):
    """The same of Linnet, whose forward has run."""
    got = {'scores': [session.read(session.model.logits, blank(shapes['scores'][0]))]}
    if 'loss' in shapes:
        session.backward()
        got['loss'] = [session.read(session.model.loss, blank(()))]
        got['gradients'] = [session.read_gradient(session.parameter(name), blank(shape))
                            for name, shape in zip(parameters, shapes['gradients'])]
    return got


def worst(results, exact):
    """Of scores, loss and gradients the tensor that differs the most, in parts of its length."""
    return {name: max(distance([g], [w]) for g, w in zip(results[name], tensors)) for name, tensors in exact.items()}


def check_network(job):
    """Scores; when it trains also the loss and all gradients of a step: how far they are from what PyTorch computes in
    double precision, and how far PyTorch's own in float32 are. Dropout draws other masks, so VGG-16 is compared as it is
    evaluated."""
    settings(False)
    kept.clear()
    linnet, device = linnet_device(job['device'])
    session, name, trains = linnet.Session(device, job['network']), job['network'], job['mode'] == 'train'
    net = networks.build(name)
    parameters = weights_of(session, net)
    net = net.to(DEVICE).train(trains and not any(isinstance(m, torch.nn.Dropout) for m in net.modules()))
    torch.manual_seed(1)
    image = torch.rand(networks.shape(name, job['batch'])) - .5
    label = torch.randint(networks.classes(name), (job['batch'],), dtype=torch.int32)
    if trains:
        session.differentiate(linnet.TRAIN if net.training else linnet.EVALUATE)
    session.forward(image, label if trains else None)
    there, target = image.to(DEVICE), label.long().to(DEVICE)
    single = theirs(net, there, target, trains)
    got = ours(session, parameters, {key: [t.shape for t in tensors] for key, tensors in single.items()})
    exact = theirs(net.double(), there.double(), target, trains)
    found = session.implementations()
    session.close()
    return {'errors': worst(got, exact), 'peer_errors': worst(single, exact), 'implementations': found,
            'label': device.label()}


def check_style(job):
    """Loss and gradient on the device beside Linnet's cpu backend, which tests compare with PyTorch."""
    torch.manual_seed(1)
    pictures, made = [torch.rand(3, job['size'], job['size']) for _ in range(3)], []
    for selection in (job['device'], 'cpu'):
        linnet, device = linnet_device(selection)
        gradient = blank(pictures[0].shape)
        made.append((torch.tensor(linnet.style_gradient(device, *pictures, gradient)), gradient, device.label()))
    return {'errors': {'loss': largest(made[0][0], made[1][0]), 'gradients': distance([made[0][1]], [made[1][1]])},
            'label': made[0][2]}


def about(_):
    found = {'torch': torch.__version__, 'peer': str(DEVICE)}
    if ON_GPU:
        properties = torch.cuda.get_device_properties(DEVICE)
        found.update(gpu=properties.name, gpu_mib=properties.total_memory >> 20, units=properties.multi_processor_count,
                     cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version())
    return found


def free(_):
    """Bytes that nobody on the device has."""
    return {'free_bytes': torch.cuda.mem_get_info()[0]} if ON_GPU else {}


def time_copy(job):
    """Bytes read and written a second by a copy on the device."""
    source = torch.rand(job['bytes'] // 4, device=DEVICE)
    target = torch.empty_like(source)
    return {'gigabytes_per_second': 2e-6 * job['bytes'] / measure_blocks(lambda: target.copy_(source), .2)['median_ms']}


JOBS = {'about': about, 'free': free, 'copy': time_copy, 'layer': time_layer, 'network': time_network, 'check_layer': check_layer,
        'check_network': check_network, 'check_style': check_style}


def main():
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer = JOBS[job['job']](job)
        except Exception as problem:  # whatever it is: the next job may go well
            traceback.print_exc()
            kept.clear()
            answer = {'error': '%s: %s' % (type(problem).__name__, str(problem).splitlines()[0] if str(problem) else '')}
        if ON_GPU and job['job'].startswith('check'):
            torch.cuda.empty_cache()  # others work on this device, too
        print(json.dumps(answer), flush=True)


main()
