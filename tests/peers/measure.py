# SPDX-License-Identifier: Apache-2.0
"""Measures everything that docs/performance.md shows and writes the raw results there, one JSON object a line. Takes
about fifteen minutes; see README.md.

usage: measure.py [--build DIR] [--models DIR] [--out DIR] [--quick] [--only NETWORK] [--device DEVICE]
                  [networks] [convolutions] [scaling] [memory] [opencl]
       measure.py gpu --device opencl:nvidia [--peer-device cuda] [--minutes M] [--build DIR] [--out DIR] [--quick]
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

import engines
import gpu as gpu_part
import opencl as tasks

ROOT = os.path.dirname(os.path.dirname(engines.HERE))
INFER = ['vgg16', 'resnet50', 'resnet18', 'squeezenet1_1', 'mobilenet_v2', 'lenet5']
TRAIN = {'lenet5': 64, 'mlp': 64, 'vgg_cifar': 64, 'resnet18': 8}
BATCHED = [('train', 'lenet5'), ('train', 'vgg_cifar'), ('infer', 'mobilenet_v2'), ('infer', 'resnet18')]
THREADS = sorted({1, min(2, os.cpu_count()), os.cpu_count()})


def first(command, otherwise=''):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, IndexError, subprocess.CalledProcessError):
        return otherwise


def processor():
    with open('/proc/cpuinfo') as lines:
        return next((line.split(':')[1].strip() for line in lines if line.startswith('model name')), platform.machine())


def about(options):
    version = "import {0}; print({0}.__version__)"
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return {'bench': 'about', 'date': datetime.datetime.now().strftime('%Y-%m-%d %H:%M'), 'processor': processor(),
            'cores': os.cpu_count(), 'memory_gib': round(memory / 2**30, 1), 'kernel': platform.release(),
            'compiler': first(['gcc', '--version']),
            'linnet': first(['cat', os.path.join(options.build, 'revision')]) or
                      first(['git', '-C', ROOT, 'rev-parse', '--short', 'HEAD']),
            'torch': first([options.torch or 'false', '-c', version.format('torch')]),
            'onnxruntime': first([options.ort or 'false', '-c', version.format('onnxruntime')]),
            'onednn': first(['dpkg-query', '-Wf', '${Version}', 'libdnnl2']),
            'openblas': first(['pkg-config', '--modversion', 'openblas'])}


class Writer:
    """One file of raw results: what was measured on, then a line for each measurement."""

    def __init__(self, options, name):
        os.makedirs(options.out, exist_ok=True)
        self.path = os.path.join(options.out, name + '.jsonl')
        self.file = open(self.path + '.part', 'w')
        self.line(about(options))

    def line(self, record):
        rounded = {k: float('%.5g' % v) if isinstance(v, float) else v for k, v in record.items()}
        self.file.write(json.dumps(rounded, separators=(',', ':')) + '\n')
        self.file.flush()
        print(json.dumps(rounded), file=sys.stderr)

    def close(self):
        self.file.close()
        os.rename(self.path + '.part', self.path)


def linnet(options, arguments, threads):
    return engines.Linnet(os.path.join(options.build, 'bin', 'linnet'), arguments, threads)


def peers(options, mode, network, threads, several=True):
    """The other engines that can do it, each in its good variants."""
    found = []
    if mode == 'infer' and options.ort:
        model = os.path.join(options.models, network + '.onnx')
        found.append(engines.Worker('onnxruntime', options.ort, mode, network, threads, model))
    if options.torch and (mode != 'infer' or several):
        variants = {'infer': [None], 'train': ['nhwc', 'nchw'], 'style': ['max', 'avg']}[mode]
        variants = ['nchw'] if network == 'mlp' else variants if several else variants[:1]
        for variant in variants:
            name = 'torch-' + variant if variant else 'torch-jit'
            found.append(engines.Worker(name, options.torch, mode, network, threads, variant))
    return found


def compare(options, writer, mode, network, batch, threads, arguments, seconds, rounds=3, several=True, **more):
    """Linnet and its peers, taking turns."""
    takers = [linnet(options, arguments, threads)] + peers(options, mode, network, threads, several)
    keep = ('median_ms', 'min_ms', 'max_ms', 'runs', 'error')
    for name, number, answer in engines.alternate(takers, rounds, seconds, batch):
        writer.line(dict({'bench': 'network', 'network': str(network), 'mode': mode, 'batch': batch, 'threads': threads,
                          'engine': name, 'round': number}, **{k: answer[k] for k in keep if k in answer}, **more))
    return [(taker.name, taker.close()) for taker in takers]


def style_arguments(size):
    return ['style', '--pixels', str(size)]


def networks(options):
    writer = Writer(options, 'networks')
    machine(options, writer)
    for threads in THREADS:
        for network in (n for n in INFER if options.only in (None, n)):
            compare(options, writer, 'infer', network, 1, threads, [network], options.seconds)
        for network, batch in ((n, b) for n, b in TRAIN.items() if options.only in (None, n)):
            compare(options, writer, 'train', network, batch, threads, [network, '--train'], options.seconds)
        if options.only in (None, 'style'):
            compare(options, writer, 'style', 256, None, threads, style_arguments(256), options.seconds)
    writer.close()


def machine(options, writer):
    """This machine's multiply-adds and memory bandwidth."""
    command = [os.path.join(options.build, 'bin', 'linnet'), 'bench', 'machine', '--json']
    threads = ','.join(map(str, THREADS))
    answer = subprocess.run(command + ['--threads', threads], capture_output=True, text=True)
    for line in answer.stdout.splitlines():
        writer.line(dict(json.loads(line), bench='machine'))


def paired(options, writer, arguments, **more):
    command = [os.path.join(options.build, 'bin', 'paired'), '--json', '--time', str(options.paired_seconds)]
    with subprocess.Popen(command + arguments, stdout=subprocess.PIPE, text=True) as process:
        for text in process.stdout:
            record = json.loads(text)
            for engine in [k for k, v in record.items() if isinstance(v, dict)]:
                record[engine] = {k: float('%.4g' % v) if isinstance(v, float) else v
                                  for k, v in record[engine].items() if k != 'max_ms'}
            writer.line(dict(record, **more))


def convolutions(options):
    writer = Writer(options, 'convolutions')
    only = ['--shape', options.only] if options.only else []
    paired(options, writer, ['--threads', ','.join(map(str, THREADS))] + only)
    writer.close()


def scaling(options):
    """What becomes of the speed as batch, images and channels grow; on all cores."""
    writer, cores, step = Writer(options, 'scaling'), os.cpu_count(), 2 if options.quick else 1
    once = {'seconds': 0.5 * options.seconds, 'rounds': 1, 'several': False}
    for mode, network in (b for b in BATCHED if options.only in (None, b[1])):
        for batch in [2**i for i in range(0, 9, step)]:
            arguments = [network] + (['--train'] if mode == 'train' else [])
            compare(options, writer, mode, network, batch, cores, arguments, scale='batch', **once)
    for size in (64, 128, 256, 384, 512)[::step] if options.only in (None, 'style') else ():
        compare(options, writer, 'style', size, None, cores, style_arguments(size), scale='size', **once)
    sizes = [('size', size, 64, size) for size in (7, 14, 28, 56, 112, 224)]
    channels = [('channels', channels, channels, 28) for channels in (16, 32, 64, 128, 256, 512)]
    for scale, value, width, size in sizes + channels if options.only in (None, 'conv2d') else ():
        case = 'conv2d:n1c%dh%dw%d_oc%dk3p1' % (width, size, size, width)
        paired(options, writer, ['--threads', str(cores), '--case', case], scale=scale, value=value)
    writer.close()


def memory(options):
    """The largest resident set of a process that does nothing else."""
    writer = Writer(options, 'memory')
    for mode, network, batch, arguments in (('infer', 'resnet50', 1, ['resnet50']),
                                            ('train', 'vgg_cifar', 64, ['vgg_cifar', '--train']),
                                            ('style', 512, None, style_arguments(512))):
        takers = [linnet(options, arguments, os.cpu_count())] + peers(options, mode, network, os.cpu_count())
        for taker in takers:
            answer = taker.time(0.1, batch)
            record = {'bench': 'memory', 'network': str(network), 'mode': mode, 'batch': batch, 'engine': taker.name}
            writer.line(dict(record, **taker.close(), **{k: v for k, v in answer.items() if k == 'error'}))
    writer.close()


# ---- OpenCL beside our own cpu backend ----

def opencl(options):
    """Layers, networks and the first step of training on an OpenCL device and on cpu, taking turns, on all cores."""
    writer, program = Writer(options, 'opencl'), os.path.join(options.build, 'bin', 'linnet')
    machine(options, writer)
    with tempfile.TemporaryDirectory() as cache:
        kept = caches(cache)
        for name, (case, _) in tasks.LAYERS.items():
            arguments = [case, '--planned', '--direction', 'all']
            layer_turns(options, writer, name, [engines.Linnet(program, arguments, os.cpu_count(), backend, kept)
                                                for backend in ('cpu', options.device)])
        for (network, mode), (batch, _, _) in tasks.NETWORKS.items():
            arguments = style_arguments(256) if mode == 'style' else [network] + ['--train'] * (mode == 'train')
            takers = [engines.Linnet(program, arguments, os.cpu_count(), backend, kept)
                      for backend in ('cpu', options.device)]
            for taker, backend in zip(takers, ('cpu', 'opencl')):
                taker.name = backend
            batched = None if mode == 'style' else batch
            for backend, number, answer in engines.alternate(takers, 3, options.seconds, batched):
                writer.line({'bench': 'network', 'network': network, 'mode': mode, 'batch': batch, 'backend': backend,
                             'round': number, **some(answer, 'median_ms', 'min_ms', 'error')})
    first_steps(options, writer, program)
    writer.close()


def caches(folder):
    """Linnet's and PoCL's own, of this run alone."""
    return {'LINNET_CACHE_DIR': os.path.join(folder, 'linnet'), 'POCL_CACHE_DIR': os.path.join(folder, 'pocl')}


def some(answer, *fields):
    return {field: answer[field] for field in fields if field in answer}


def layer_turns(options, writer, name, takers):
    turns = list(zip(('cpu', 'opencl'), takers))
    for number in range(1 + 3):  # the first one fills the caches
        for backend, taker in turns if number % 2 else reversed(turns):
            time.sleep(engines.REST)
            answers = taker.answers(2 * options.paired_seconds)
            for direction in tasks.DIRECTIONS if number else ():
                found = next((a for a in answers if a.get('direction') == direction), answers[0])
                writer.line({'bench': 'layer', 'layer': name, 'direction': direction, 'backend': backend,
                             'round': number,
                             **some(found, 'implementation', 'median_ms', 'min_ms', 'gflops', 'error')})


def first_steps(options, writer, program):
    """From the start of a program to the end of its first step of training LeNet-5."""
    for check in ('never', 'first-use'):
        for number in range(2):
            with tempfile.TemporaryDirectory() as cache:
                for state in ('cold', 'warm', 'warm'):
                    taker = engines.Linnet(program, ['lenet5', '--train', '--repeat', '1'], os.cpu_count(),
                                           options.device, dict(caches(cache), LINNET_CHECK=check))
                    answer = taker.time(1, 64)
                    writer.line({'bench': 'start', 'caches': state, 'check': check, 'round': number,
                                 **some(answer, 'first_ms', 'error')})


# ---- A GPU beside PyTorch ----

def gpu(options):
    writer = Writer(options, 'gpu')
    try:
        gpu_part.measure(options, writer)
    finally:
        writer.close()


USUAL = {'networks': networks, 'convolutions': convolutions, 'scaling': scaling, 'memory': memory, 'opencl': opencl}
PARTS = dict(USUAL, gpu=gpu)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--build', default=os.path.join(ROOT, 'build', 'release'), help='with LINNET_PEERS=ON')
    parser.add_argument('--models', default=os.path.join(ROOT, 'build', 'peers'), help='where ONNX files are or go')
    parser.add_argument('--out', default=os.path.join(ROOT, 'docs', 'performance'))
    parser.add_argument('--quick', action='store_true', help='shorter: to try it out')
    parser.add_argument('--device', default='opencl:pocl', help='the OpenCL device (default: opencl:pocl)')
    parser.add_argument('--only', metavar='NETWORK', help='to try it out: only this one')
    parser.add_argument('--peer-device', default='cuda', help="gpu: PyTorch's device (default: cuda; cpu: to try it out)")
    parser.add_argument('--minutes', type=float, default=10, help='gpu: how long to measure at most (default: 10)')
    parser.add_argument('--untuned', action='store_true', help='gpu: no `linnet tune` before a network')
    parser.add_argument('parts', nargs='*', metavar='PART', help=', '.join(PARTS) + ' (default: all but gpu)')
    options = parser.parse_args()
    if set(options.parts) - set(PARTS):
        parser.error('no such part: ' + ' '.join(set(options.parts) - set(PARTS)))
    only_gpu = options.parts == ['gpu']
    options.ort, options.torch = None if only_gpu else engines.find_python('onnxruntime'), engines.find_python(
        'torch' if only_gpu else 'torchvision')
    options.seconds, options.paired_seconds = (0.3, 0.02) if options.quick else (1.0, 0.15)
    options.layer_seconds, options.rounds, options.layer_rounds = (0.05, 1, 1) if options.quick else (0.1, 3, 2)
    if only_gpu and not options.quick:
        options.seconds = 0.6
    if only_gpu and not options.torch:
        sys.exit('measure.py gpu needs PyTorch: no Python here has it (PEERS_PYTHON names one)')
    if options.torch and not only_gpu:
        export = [options.torch, os.path.join(engines.HERE, 'torch_networks.py'), options.models]
        subprocess.run(export + INFER, check=True, stdout=subprocess.DEVNULL)
    else:
        options.ort = options.ort if os.path.isdir(options.models) else None
    for part in options.parts or USUAL:
        PARTS[part](options)


if __name__ == '__main__':
    main()
