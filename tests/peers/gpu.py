# SPDX-License-Identifier: Apache-2.0
"""The part `gpu` of measure.py: Linnet on a GPU beside PyTorch on the same one, taking turns, compared before it is timed
(where it is wrong PyTorch is timed alone). What is worth most comes first: all networks and layers once, then once more.
Every result is written as soon as it is there, and what the time does not suffice for is left out and said."""
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import traceback

import engines

# Name: case. The products and convolutions of the bars, batch 32, without bias.
LAYERS = {
    'SGEMM 4096': 'linear:n4096c4096_o4096nb',
    'ResNet 3x3, 64': 'conv2d:n32c64h56w56_oc64k3p1nb',
    'VGG conv3_2': 'conv2d:n32c256h56w56_oc256k3p1nb',
    'ResNet 1x1, 256 to 64': 'conv2d:n32c256h56w56_oc64k1nb',
    'ResNet 3x3, 128': 'conv2d:n32c128h28w28_oc128k3p1nb',
    'ResNet conv1': 'conv2d:n32c3h224w224_oc64k7s2p3nb',
    'VGG conv5': 'conv2d:n32c512h14w14_oc512k3p1nb',
    'ResNet 1x1, 64 to 256': 'conv2d:n32c64h56w56_oc256k1nb',
    'ResNet 3x3, 256': 'conv2d:n32c256h14w14_oc256k3p1nb',
    'ResNet 1x1, 1024 to 256': 'conv2d:n32c1024h14w14_oc256k1nb',
    'ResNet 3x3, 512': 'conv2d:n32c512h7w7_oc512k3p1nb',
    'VGG conv4_2': 'conv2d:n32c512h28w28_oc512k3p1nb',
    'ResNet 3x3, stride 2': 'conv2d:n32c128h56w56_oc128k3s2p1nb',
    'ResNet 1x1, stride 2': 'conv2d:n32c256h56w56_oc512k1s2nb',
    'ResNet 1x1, 512 to 2048': 'conv2d:n32c512h7w7_oc2048k1nb',
    'VGG conv2_2': 'conv2d:n32c128h112w112_oc128k3p1nb',
    'VGG conv1_2': 'conv2d:n32c64h224w224_oc64k3p1nb',
    'VGG conv1_1': 'conv2d:n32c3h224w224_oc64k3p1nb',
}
# (network, mode, batch; of style: pixels), times PyTorch's speed at least, seconds of tuning in ten minutes.
NETWORKS = [
    ('resnet18', 'train', 32, 0.9, 20), ('resnet50', 'train', 32, 0.9, 30), ('lenet5', 'train', 64, 3.0, 8),
    ('style', 'style', 512, 0.9, 0), ('vgg16', 'train', 32, 0.9, 15), ('resnet50', 'infer', 32, 0.9, 8),
    ('resnet18', 'infer', 32, 0.9, 5), ('vgg16', 'infer', 32, 0.9, 5),
]
LAYER_BAR = 0.8
QUICK_LAYERS = {'product': 'linear:n64c32_o48nb', 'convolution': 'conv2d:n2c16h12w12_oc16k3p1nb'}
QUICK_NETWORKS = [('lenet5', 'train', 8, 3.0, 8), ('lenet5', 'infer', 8, 0.9, 0), ('style', 'style', 64, 0.9, 0)]
DIRECTIONS = ('forward', 'backward_data', 'backward_weights')

# Differences from PyTorch: of layers in parts of the largest value, of networks from double precision in parts of a
# tensor's length. Rounding makes a relu or a maximum fall otherwise, and a batch norm amplifies it: in ResNet-50 PyTorch's
# own gradients in float32 are 0.03 off. So these may be some times as far off as PyTorch's, but not half of their length.
WRONG_FROM = {'forward': 1e-3, 'backward_data': 1e-3, 'backward_weights': 1e-3, 'scores': 1e-3, 'loss': 1e-3,
              'gradients': 0.1}
TIMES_PEER, NEVER = 5, 0.5
# PyTorch's layouts, with cuDNN's own search; the fastest counts. Of networks each is measured in the first round, and once
# with the data on the device already, which Linnet's are not, for comparison; later those at most so many times slower.
LAYOUTS = ('nchw', 'nhwc')
WORTH = 1.1
VARIANT_LAYERS = 6  # of the first ones, each way to compute it is timed


class Peer:
    """gpu_worker.py, started when it is first asked and anew after it failed."""

    def __init__(self, session):
        self.session, self.process, self.rest = session, None, b''

    def start(self):
        command = [self.session.options.torch, os.path.join(engines.HERE, 'gpu_worker.py'),
                   self.session.options.peer_device, self.session.options.build]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b''

    def ask(self, patience, **job):
        """The answer, or {'error': why there is none}; waits so many seconds at most."""
        end = time.monotonic() + min(patience, max(self.session.left(), 1))
        if not self.process:
            self.start()
        try:
            self.process.stdin.write(json.dumps(job).encode() + b'\n')
            self.process.stdin.flush()
            return json.loads(self.line(end))
        except (OSError, ValueError) as problem:
            self.stop()
            return {'error': str(problem) or 'no answer'}

    def line(self, end):
        while b'\n' not in self.rest:
            if not select.select([self.process.stdout], [], [], max(end - time.monotonic(), 0))[0]:
                raise OSError('no answer in time')
            found = os.read(self.process.stdout.fileno(), 65536)
            if not found:
                raise OSError('PyTorch ended')
            self.rest += found
        line, self.rest = self.rest.split(b'\n', 1)
        return line

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None


class Session:
    """One run within its time: what is measured, where it is written, and what it is measured with."""

    def __init__(self, options, writer):
        self.options, self.writer = options, writer
        self.end = time.monotonic() + 60 * options.minutes
        self.peer, self.checker = Peer(self), Peer(self)  # two: comparing may take the process with it
        self.right = {}  # what was compared: is it?
        self.seen = {}  # (network with its mode, PyTorch's layout): milliseconds in the first round

    def left(self):
        return self.end - time.monotonic()

    def has(self, seconds, what):
        """Is there time for it? Says so where there is none."""
        if self.left() >= seconds:
            return True
        self.writer.line({'bench': 'left out', 'what': what})
        return False

    def share(self, seconds):
        """Of so many seconds in ten minutes, what this run has."""
        return max(seconds * self.options.minutes / 10, 0.5)

    def keep(self, name, title, text):
        with open(os.path.join(self.options.out, name), 'a') as target:
            target.write('== %s ==\n%s\n' % (title, text.rstrip('\n') + '\n'))

    def linnet(self, arguments, seconds):
        """(output, errors, None or why it failed) of a command of the program, killed when the time is over."""
        command = [os.path.join(self.options.build, 'bin', 'linnet')] + arguments
        limit = max(min(seconds, self.left()), 1)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors='replace') as process:
            try:
                output, errors = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                process.kill()
                output, errors = process.communicate()
                return output, errors, 'killed after %.0f s' % limit
        said = [line for line in errors.splitlines() if line.strip()] or ['exit code']
        failed = '%s (%d)' % (said[-1], process.returncode)
        return output, errors, failed if process.returncode else None

    def on_device(self, arguments, seconds):
        return self.linnet(arguments + ['--backend', self.options.device], seconds)

    def answers(self, arguments, seconds):
        """JSON lines, or one that says why there are none."""
        output, _, failed = self.on_device(arguments + ['--json'], seconds)
        found = []
        for line in output.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                failed = failed or 'no JSON: ' + line
        return found or [{'error': failed or 'no answer'}]


def measure(options, writer):
    session = Session(options, writer)
    os.environ['LINNET_FALLBACK'] = 'error'  # what another device computes is not what is measured here
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    layers, networks = (QUICK_LAYERS, QUICK_NETWORKS) if options.quick else (LAYERS, NETWORKS)
    steps = [('device', describe, ()), ('selftest', selftest, (True,))]
    for number in range(options.rounds):
        steps += [(network[0], one_network, (number, *network)) for network in networks]
        if number < options.layer_rounds:
            steps += [(name, one_layer, (number, name, case)) for name, case in layers.items()]
    steps += [(name, variants, (name, case)) for name, case in list(layers.items())[:VARIANT_LAYERS]]
    steps += [('selftest', selftest, (False,))] * (not options.quick)
    session.peer.start()
    session.checker.start()
    try:
        for name, step, arguments in steps:
            if options.only in (None, name) or name == 'device':
                guarded(session, name, step, arguments)
    finally:
        session.peer.stop()
        session.checker.stop()


def guarded(session, name, step, arguments):
    """What goes wrong with one step is written down and does not keep the others from being measured."""
    try:
        step(session, *arguments)
    except Exception as problem:
        traceback.print_exc()
        session.writer.line({'bench': 'failed', 'what': name, 'error': repr(problem)})


def describe(session):
    answer = session.peer.ask(120, job='about')
    session.writer.line(dict({'bench': 'gpu', 'device': session.options.device}, **answer))
    for arguments in (['devices'], ['doctor', '-v']):
        output, errors, failed = session.linnet(arguments, 60)
        session.keep('gpu-device.txt', 'linnet ' + ' '.join(arguments), output + errors + (failed or ''))
    for found in [a for a in session.answers(['devices'], 60) if a.get('default')]:  # the one that --device opens
        session.writer.line(dict(found, bench='device'))
    size = 2**20 if session.options.quick else 2**30
    session.writer.line(dict({'bench': 'copy', 'engine': 'torch'}, **session.peer.ask(30, job='copy', bytes=size)))


def selftest(session, few):
    """A few small cases of each layer, or with what time there is left at the end all of them; the report is kept, as far
    as it came."""
    name = 'gpu-selftest.txt' if few else 'gpu-selftest-all.txt'
    if not few and not session.has(20, 'the whole self-test'):
        return
    path, start = os.path.join(session.options.out, name), time.monotonic()
    arguments = ['selftest', '--quiet', '--report', path] + ['--quick'] * few + ['--layer=linear'] * session.options.quick
    _, _, failed = session.on_device(arguments, session.share(80) if few else session.left())
    outcomes = {}
    if os.path.exists(path):
        with open(path) as report:
            text = report.read()
        outcomes = dict(re.findall(r'^(\w+:\S*) +(passed|failed|skipped) ', text, re.M))
    counts = {outcome: list(outcomes.values()).count(outcome) for outcome in ('passed', 'failed', 'skipped')}
    session.writer.line({'bench': 'selftest', 'few': few, 'seconds': time.monotonic() - start, **counts,
                         'complete': bool(outcomes) and '\n[result]\n' in text,
                         'wrong': [case for case, outcome in outcomes.items() if outcome == 'failed'],
                         **({'why': failed} if failed else {})})


def check(session, what, job, **arguments):
    """Whether Linnet's results are PyTorch's."""
    answer = session.checker.ask(60, job=job, device=session.options.device, **arguments)
    errors, theirs = answer.get('errors', {}), answer.get('peer_errors', {})
    limits = {name: min(max(WRONG_FROM[name], TIMES_PEER * theirs.get(name, 0)), NEVER) for name in errors}
    right = bool(errors) and all(value <= limits[name] for name, value in errors.items())  # NaN is not
    session.writer.line(dict({'bench': 'check', 'what': what, 'right': right}, **answer))
    return right


def is_right(session, number, what, job, **arguments):
    """Compared in the first round. What is wrong has one round, without Linnet."""
    if number == 0:
        session.right[what] = check(session, what, job, **arguments)
    return session.right.get(what, False)


def take_turns(session, number, what, turns):
    """(name, function) each; in every second round the other way round."""
    for name, turn in turns if number % 2 == 0 else turns[::-1]:
        if session.has(3, '%s, %s, round %d' % (what, name, number)):
            turn()


# ---- Layers ----

def one_layer(session, number, name, case):
    if number and name not in session.right or not session.has(5, '%s, round %d' % (name, number)):
        return
    right = is_right(session, number, name, 'check_layer', case=case)
    turns = [('linnet', lambda: linnet_layer(session, name, case, number))] * right
    if right or number == 0:
        turns += [('torch-' + layout, lambda layout=layout: torch_layer(session, name, case, number, layout))
                  for layout in (LAYOUTS if case.startswith('conv2d') else LAYOUTS[:1])]
    take_turns(session, number, name, turns)


def linnet_layer(session, name, case, number):
    arguments = ['bench', case, '--planned', '--direction', 'all', '--seconds', str(session.options.layer_seconds)]
    for answer in session.answers(arguments, 60):
        fields = ('direction', 'implementation', 'median_ms', 'min_ms', 'gflops', 'workspace_bytes', 'error')
        session.writer.line({'bench': 'layer', 'layer': name, 'engine': 'linnet', 'round': number,
                             **{k: answer[k] for k in fields if k in answer}})


def torch_layer(session, name, case, number, layout):
    answer = session.peer.ask(60, job='layer', case=case, layout=layout, seconds=session.options.layer_seconds)
    record = {'bench': 'layer', 'layer': name, 'engine': 'torch-' + layout, 'round': number}
    for direction, times in answer.pop('directions', {}).items():
        session.writer.line(dict(record, direction=direction, **times))
    if answer:
        session.writer.line(dict(record, **answer))


def variants(session, name, case):
    """All that Linnet has for a layer, with each size of tiles, for whoever chooses between them."""
    for variant in ('tile=64', 'tile=128'):
        if session.has(8, '%s, %s' % (name, variant)):
            os.environ['LINNET_OPENCL_VARIANT'] = variant
            try:
                output, errors, failed = session.on_device(
                    ['bench', case, '--direction', 'all', '--seconds', str(0.25 * session.options.layer_seconds)], 60)
            finally:
                del os.environ['LINNET_OPENCL_VARIANT']
            session.keep('gpu-profiles.txt', '%s, %s' % (name, variant), output + errors + (failed or ''))


# ---- Networks ----

def one_network(session, number, network, mode, batch, bar, tuning):
    what = '%s, %s' % (network, mode)
    if number and what not in session.right or not session.has(10 if number == 0 else 5, '%s, round %d' % (what, number)):
        return
    arguments = linnet_arguments(network, mode, batch)
    if tuning and number == 0 and not session.options.untuned:
        tune(session, network, mode, batch, tuning)
    job = {'size': batch} if mode == 'style' else {'network': network, 'mode': mode, 'batch': batch}
    right = is_right(session, number, what, 'check_style' if mode == 'style' else 'check_network', **job)
    if right or number == 0:
        network_turns(session, number, what, (network, mode, batch), arguments, right)
    if number == 0 and session.has(5, what + ', profile'):
        profile(session, what, network, mode, batch, arguments)


def linnet_arguments(network, mode, batch):
    if mode == 'style':
        return ['bench', 'style', '--pixels', str(batch)]
    return ['bench', network, '--batch', str(batch)] + ['--train'] * (mode == 'train')


def tune(session, network, mode, batch, seconds):
    limit = session.share(seconds)
    arguments = ['tune', network, '--' + mode, '--batch', str(batch), '--limit', '%.1f' % limit]
    for answer in session.answers(arguments, limit + 90):  # kernels are built and compared before
        session.writer.line(dict({'bench': 'tune', 'network': network, 'limit': limit}, **answer))


def network_turns(session, number, what, network, arguments, right):
    """Linnet where it is right, and PyTorch."""
    record = {'bench': 'network', **dict(zip(('network', 'mode', 'batch'), network)), 'round': number}
    turns = [('linnet', lambda: session.writer.line(dict(record, engine='linnet', **linnet_network(session, arguments))))]
    ways = [(layout, False) for layout in worth_timing(session, what, network[1])] + [('nchw', True)] * (number == 0)
    turns = turns * right + [('torch-' + layout + '-resident' * resident,
                              lambda layout=layout, resident=resident: torch_network(session, what, record, layout, resident))
                             for layout, resident in ways]
    take_turns(session, number, what, turns)


def worth_timing(session, what, mode):
    known = LAYOUTS[:1] if mode == 'style' else LAYOUTS
    best = min((session.seen[what, layout] for layout in known if (what, layout) in session.seen), default=float('inf'))
    return [layout for layout in known if session.seen.get((what, layout), 0) <= WORTH * best]


def torch_network(session, what, record, layout, resident):
    answer = session.peer.ask(90, job='network', layout=layout, resident=resident, seconds=session.options.seconds,
                              size=record['batch'], **{k: record[k] for k in ('network', 'mode', 'batch')})
    session.writer.line(dict(record, engine='torch-' + layout + '-resident' * resident, **answer))
    if not resident:
        session.seen.setdefault((what, layout), answer.get('median_ms', float('inf')))


def linnet_network(session, arguments):
    answer = session.answers(arguments + ['--seconds', str(session.options.seconds)], 90)[0]
    fields = ('median_ms', 'min_ms', 'runs', 'first_ms', 'peak_memory_bytes', 'error')
    return {k: answer[k] for k in fields if k in answer}


class Watch:
    """The least free memory of PyTorch's device while something else works on it, beside what was free before."""

    def __init__(self, session):
        self.session, self.over = session, threading.Event()
        self.before = self.least = self.free()
        self.thread = threading.Thread(target=self.look)

    def free(self):
        return self.session.peer.ask(10, job='free').get('free_bytes', 0)

    def look(self):
        while not self.over.wait(0.1):
            self.least = min(self.least, self.free())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def profile(session, what, network, mode, batch, arguments):
    """Where the time goes, and what the device's memory has to give meanwhile."""
    with Watch(session) as watch:
        output, errors, failed = session.on_device(
            arguments + ['--profile', '--seconds', str(session.options.seconds)], 60)
    session.keep('gpu-profiles.txt', what, output + errors + (failed or ''))
    if watch.before:
        session.writer.line({'bench': 'memory', 'network': network, 'mode': mode, 'batch': batch, 'engine': 'linnet',
                             'device_bytes': watch.before - watch.least})
