# SPDX-License-Identifier: Apache-2.0
"""One network in one other engine, waiting to be timed: reads a JSON object a line, {"seconds": 1, "batch": 1}, answers
with the times of as many runs as fit, and at the end of its input says how much memory the process took at most.

usage: worker.py onnxruntime|torch infer|train|style NETWORK THREADS [MODEL.onnx | nchw | nhwc | max | avg]
"""
import json
import statistics
import sys
import time


def kib(field):
    with open('/proc/self/status') as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def onnxruntime_infer(network, threads, path):
    import numpy
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    idle = kib('VmRSS')
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    entry = session.get_inputs()[0]

    def prepare(batch):
        shape = [batch] + entry.shape[1:]
        x = (numpy.arange(numpy.prod(shape)) % 255 / 255 - .5).astype(numpy.float32).reshape(shape)
        return lambda: session.run(None, {entry.name: x})
    return 'onnxruntime ' + onnxruntime.__version__, idle, prepare


def torch_start(threads):
    import torch
    import torch_networks
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    return torch, torch_networks, 'torch ' + torch.__version__, kib('VmRSS')


def torch_infer(network, threads, _):
    torch, networks, version, idle = torch_start(threads)
    net = networks.build(network).eval()
    compiled = {}

    def prepare(batch):
        x = torch.rand(networks.shape(network, batch)) - .5
        with torch.no_grad():
            if batch not in compiled:
                compiled[batch] = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))

        def run():
            with torch.no_grad():
                compiled[batch](x)
        return run
    return version, idle, prepare


def torch_train(network, threads, layout):
    torch, networks, version, idle = torch_start(threads)
    net, loss = networks.build(network).train(), torch.nn.CrossEntropyLoss()
    if layout == 'nhwc':
        net = net.to(memory_format=torch.channels_last)
    sgd = torch.optim.SGD(net.parameters(), lr=.01, momentum=.9)

    def prepare(batch):
        x = torch.rand(networks.shape(network, batch)) - .5
        labels = torch.randint(networks.classes(network), (batch,))
        if layout == 'nhwc':
            x = x.contiguous(memory_format=torch.channels_last)

        def run():
            sgd.zero_grad(set_to_none=True)
            loss(net(x), labels).backward()
            sgd.step()
        return run
    return version, idle, prepare


def torch_style(size, threads, pool):
    """Losses of style at conv1_1 to conv5_1 and of content at conv4_2, and their gradient down to the pixels."""
    torch, networks, version, idle = torch_start(threads)
    layers, shape = networks.vgg19_features(pool), (1, 3, int(size), int(size))

    def prepare(_):
        loss, image = networks.style_loss(layers, shape), torch.rand(shape, requires_grad=True)

        def run():
            image.grad = None
            loss(image).backward()
        return run
    return version, idle, prepare


def measure(run, seconds):
    run()
    times, start = [], time.perf_counter()
    while len(times) < 2 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - before))
    return {'median_ms': statistics.median(times), 'min_ms': min(times), 'max_ms': max(times), 'runs': len(times)}


def main():
    engine, mode, network, threads = sys.argv[1:5]
    extra = sys.argv[5] if len(sys.argv) > 5 else None
    start = {'onnxruntime infer': onnxruntime_infer, 'torch infer': torch_infer, 'torch train': torch_train,
             'torch style': torch_style}[engine + ' ' + mode]
    version, idle, prepare = start(network, int(threads), extra)
    last, run = None, None
    for line in sys.stdin:
        job = json.loads(line)
        if not run or job['batch'] != last:
            last, run = job['batch'], prepare(job['batch'])
            for _ in range(job.get('warm', 2)):
                run()
        print(json.dumps(dict(measure(run, job['seconds']), version=version)), flush=True)
    print(json.dumps({'peak_kib': kib('VmHWM'), 'idle_kib': idle, 'version': version}), flush=True)


main()
