# SPDX-License-Identifier: Apache-2.0
"""Writes docs/performance.md and its plots from the raw results in docs/performance/*.jsonl and the hand-written
performance.md.in, in which {{name}} is a table made here.

usage: report.py [--check]     --check: only say whether the page is what would be written
       report.py --gpu FILE    prints what it would say of that file of raw results of the part gpu
"""
import json
import os
import statistics
import sys

import report_gpu
import report_opencl
import svg

HERE = os.path.dirname(os.path.abspath(__file__))
DOCS = os.path.join(os.path.dirname(os.path.dirname(HERE)), 'docs')
RAW = os.path.join(DOCS, 'performance')

INFER_BARS = {'vgg16': 1.6, 'resnet50': 1.15, 'resnet18': 1.15, 'squeezenet1_1': 1.15, 'mobilenet_v2': 1.3, 'lenet5': 2}
TRAIN_BARS = {'lenet5': (3, 3), 'mlp': (1.2, 1.6), 'vgg_cifar': (1.4, 1.4), 'resnet18': (1.4, 1.4)}
STYLE_BAR = 1.5
DIRECTIONS = ('forward', 'data', 'weights')
PEERS = {'infer': ('onnxruntime',), 'train': ('torch-nchw', 'torch-nhwc'), 'style': ('torch-max', 'torch-avg')}
NAMES = {'onnxruntime': 'ONNX Runtime', 'torch-jit': 'PyTorch', 'torch-nhwc': 'PyTorch', 'torch-nchw': 'PyTorch',
         'torch-max': 'PyTorch', 'torch-avg': 'PyTorch', 'linnet': 'Linnet'}


def load(name):
    return load_file(os.path.join(RAW, name + '.jsonl'))


def load_file(path):
    if not os.path.exists(path):
        return {}, []
    with open(path) as lines:
        records = [json.loads(line) for line in lines]
    return records[0], records[1:]


def table(head, rows):
    """Columns of numbers are on the right."""
    words = [any(c.isalpha() for row in rows for c in row[i] if '(' not in row[i]) for i in range(len(head))]
    out = ['| ' + ' | '.join(head) + ' |', '|' + '|'.join('---' if w else '---:' for w in words) + '|']
    return '\n'.join(out + ['| ' + ' | '.join(row) + ' |' for row in rows])


def figure(value):
    if value is None:
        return ''
    return '%.0f' % value if value >= 1000 else '%.3g' % value if value < 100 else '%.1f' % value


def median(records, field='median_ms', **wanted):
    """Over the rounds; None where nothing was measured."""
    found = [r[field] for r in records if field in r and all(r.get(k) == v for k, v in wanted.items())]
    return statistics.median(found) if found else None


def fastest(records, names, **wanted):
    """(milliseconds, engine) of the fastest of the names by the median."""
    found = [(median(records, engine=name, **wanted), name) for name in names]
    return min([f for f in found if f[0]], default=(None, ''))


def verdict(ratio, bar):
    if ratio is None:
        return '', '%.2f' % bar
    return '%.2f' % ratio if ratio >= bar else '**%.2f**' % ratio, '%.2f' % bar


def ratio_of(peer, ours):
    return peer / ours if peer and ours else None


def thread_counts(records):
    return sorted({r['threads'] for r in records if r['bench'] == 'network'})


def inference(records):
    rows = []
    for network, bar in INFER_BARS.items():
        for threads in thread_counts(records):
            wanted = dict(network=network, mode='infer', threads=threads)
            ours, ort = median(records, engine='linnet', **wanted), median(records, engine='onnxruntime', **wanted)
            torch = median(records, engine='torch-jit', **wanted)
            rows.append([network, str(threads), figure(ours), figure(ort), figure(torch),
                         *verdict(ratio_of(ort, ours), bar)])
    head = ['network, batch 1', 'threads', 'Linnet, ms', 'ONNX Runtime, ms', 'PyTorch, ms', 'times', 'bar']
    return table(head, rows)


def training(records):
    rows = []
    for network, bars in TRAIN_BARS.items():
        for threads in thread_counts(records):
            wanted = dict(network=network, mode='train', threads=threads)
            batch = next((r['batch'] for r in records if r.get('network') == network and r.get('mode') == 'train'), 0)
            ours = median(records, engine='linnet', **wanted)
            peer, name = fastest(records, ('torch-nchw', 'torch-nhwc'), **wanted)
            rate = [figure(1e3 * batch / ms) if ms else '' for ms in (ours, peer)]
            rows.append([network, str(batch), str(threads), *rate, name[6:],
                         *verdict(ratio_of(peer, ours), bars[min(threads, 2) - 1])])
    head = ['network', 'batch', 'threads', 'Linnet, images/s', 'PyTorch, images/s', 'layout', 'times', 'bar']
    return table(head, rows)


def style(records):
    rows = []
    for threads in thread_counts(records):
        wanted = dict(network='256', mode='style', threads=threads)
        ours = median(records, engine='linnet', **wanted)
        peer, _ = fastest(records, ('torch-max', 'torch-avg'), **wanted)
        seconds = [figure(ms / 1e3) if ms else '' for ms in (ours, peer)]
        rows.append(['VGG-19, 256 x 256', str(threads), *seconds, *verdict(ratio_of(peer, ours), STYLE_BAR)])
    return table(['one iteration', 'threads', 'Linnet, s', 'PyTorch, s', 'times', 'bar'], rows)


def memory(records):
    title = {'infer': 'inference, batch 1', 'train': 'training, batch 64', 'style': 'style'}
    rows = []
    for mode, network in (('infer', 'resnet50'), ('train', 'vgg_cifar'), ('style', '512')):
        found = {r['engine']: r for r in records if r['mode'] == mode and 'peak_kib' in r and 'error' not in r}

        def mib(*names):
            peaks = [found[n]['peak_kib'] for n in names if n in found]
            return figure(min(peaks) / 1024) if peaks else ''
        idle = found.get('torch-jit', found.get('torch-nhwc', found.get('torch-max', {}))).get('idle_kib')
        rows.append([('VGG-19 at 512 x 512' if mode == 'style' else network) + ', ' + title[mode], mib('linnet'),
                     mib('onnxruntime'), mib(*[n for n in found if n.startswith('torch')]),
                     figure(idle / 1024 if idle else None)])
    head = ['work', 'Linnet, MiB', 'ONNX Runtime, MiB', 'PyTorch, MiB', 'before it has a network']
    return table(head, rows)


# ---- Convolutions ----

def conv_ratio(record, engine='linnet', peers=('onednn', 'onednn-plain')):
    """How many times the better of the peers: the median over the rounds, in which both meet the same slow moments."""
    best = min([record[e] for e in peers if e in record], key=lambda times: times['median_ms'], default=None)
    if not best or engine not in record:
        return None
    return statistics.median(a / b for a, b in zip(rounds_of(best), rounds_of(record[engine])))


def rounds_of(times):
    return times.get('rounds_ms', [times['median_ms']])


def alone_ratio(record):
    return conv_ratio(record, 'linnet-nchw', ('onednn-nchw', 'onednn-plain'))


def cell(record):
    """"171 (1.02)": Linnet's GFLOP/s and how many times oneDNN's best; bold below the bar."""
    ratio = conv_ratio(record) if record else None
    if ratio is None:
        return ''
    text = '%.0f (%.2f)' % (1e3 * record['gflop'] / record['linnet']['median_ms'], ratio)
    return '**%s**' % text if record['bar'] and ratio < record['bar'] else text


def conv_tables(records):
    out = []
    for network in dict.fromkeys(r['network'] for r in records):
        mine = [r for r in records if r['network'] == network]
        threads = sorted({r['threads'] for r in mine})
        found = {(r['layer'], r['direction'], r['threads']): r for r in mine}
        head = ['layer', 'shape'] + ['%s, %d' % (d, t) for d in DIRECTIONS for t in threads]
        rows = [[layer, next(r['case'] for r in mine if r['layer'] == layer).removeprefix('conv2d:')] +
                [cell(found.get((layer, d, t))) for d in DIRECTIONS for t in threads]
                for layer in dict.fromkeys(r['layer'] for r in mine)]
        out += ['### ' + network, '', table(head, rows), '']
    return '\n'.join(out).strip()


def conv_group(record):
    if record['bench'] == 'linear':
        return 'linear'
    if record['case'].split('_', 1)[1].count('g'):
        return 'depthwise'
    special = record['direction'] == 'data' and record['bar'] > 1
    if special:
        return 'few channels: ' + record['network'] + ' ' + record['layer']
    if record['case'].endswith('k3p1'):
        return '3x3 stride 1'
    return 'others'


def conv_summary(records):
    groups = {}
    for r in records:
        if r['bar'] and conv_ratio(r):
            key = (conv_group(r), r['direction'], r['threads'], r['bar'])
            groups.setdefault(key, []).append(r)
    rows = []
    for (group, direction, threads, bar), members in sorted(groups.items()):
        ratios, alone = [conv_ratio(r) for r in members], [alone_ratio(r) for r in members if alone_ratio(r)]
        rows.append([group, direction, str(threads), '%.2f' % bar,
                     '%d of %d' % (sum(v >= bar for v in ratios), len(ratios)),
                     '%.2f' % statistics.geometric_mean(ratios), '%.2f' % min(ratios),
                     '%.2f' % statistics.geometric_mean(alone) if alone else ''])
    head = ['convolutions', 'direction', 'threads', 'bar', 'reach it', 'geometric mean', 'worst', 'alone']
    return table(head, rows)


def below(records, limit=40):
    """Where a convolution misses its bar, the farthest first."""
    missed = [(conv_ratio(r) / r['bar'], r) for r in records if r['bar'] and conv_ratio(r) and conv_ratio(r) < r['bar']]
    missed.sort(key=lambda m: m[0])
    lines = ['- %s %s, %s, %d thread%s: %.2f of %.2f' % (r['network'], r['layer'], r['direction'], r['threads'],
                                                         's' * (r['threads'] > 1), conv_ratio(r), r['bar'])
             for _, r in missed[:limit]]
    if len(missed) > limit:
        lines.append('- and %d nearer to their bars' % (len(missed) - limit))
    return '\n'.join(lines) or 'None.'


def below_networks(records):
    out = []
    for mode, bars in (('infer', INFER_BARS), ('train', TRAIN_BARS), ('style', {'256': STYLE_BAR})):
        for network, bar in bars.items():
            for threads in thread_counts(records):
                wanted = dict(network=network, mode=mode, threads=threads)
                peer, _ = fastest(records, PEERS[mode], **wanted)
                ratio = ratio_of(peer, median(records, engine='linnet', **wanted))
                needed = bar[min(threads, 2) - 1] if isinstance(bar, tuple) else bar
                if ratio and ratio < needed:
                    what = (mode, network, threads, 's' * (threads > 1), ratio, needed)
                    out.append('- %s %s, %d thread%s: %.2f of %.2f' % what)
    return '\n'.join(out) or 'None.'


# ---- Plots ----

def rate_series(records, mode):
    series = []
    scaled = [r for r in records if r.get('scale') == 'batch' and r['mode'] == mode and 'median_ms' in r]
    for network in dict.fromkeys(r['network'] for r in scaled):
        for engine in sorted({r['engine'] for r in scaled if r['network'] == network}):
            points = [(r['batch'], 1e3 * r['batch'] / r['median_ms']) for r in scaled
                      if r['network'] == network and r['engine'] == engine]
            series.append((network + ', ' + NAMES[engine], points, engine != 'linnet'))
    return series


def conv_series(records, scale):
    scaled = [r for r in records if r.get('scale') == scale and r['bench'] == 'conv2d']
    series = []
    for direction in DIRECTIONS:
        for engine in ('linnet', 'onednn'):
            points = [(r['value'], 1e3 * r['gflop'] / r[engine]['median_ms']) for r in scaled
                      if r['direction'] == direction and engine in r]
            name = {'linnet': 'Linnet', 'onednn': 'oneDNN'}[engine]
            series.append((direction + ', ' + name, points, engine != 'linnet'))
    return [s for s in series if s[1]]


def thread_series(records):
    series = []
    for mode, networks in (('infer', INFER_BARS), ('train', TRAIN_BARS)):
        for network in networks:
            points = []
            for threads in thread_counts(records):
                one = median(records, engine='linnet', network=network, mode=mode, threads=1)
                many = median(records, engine='linnet', network=network, mode=mode, threads=threads)
                points += [(threads, one / many)] if one and many else []
            series.append((network + (', training' if mode == 'train' else ''), points, mode == 'train'))
    return [s for s in series if s[1]]


def style_series(records):
    scaled = [r for r in records if r.get('scale') == 'size' and r.get('mode') == 'style' and 'median_ms' in r]
    return [(NAMES[engine], [(int(r['network']), r['median_ms'] / 1e3) for r in scaled if r['engine'] == engine],
             engine != 'linnet') for engine in sorted({r['engine'] for r in scaled})]


def plots(networks, scaling, cores):
    on = '%d threads' % cores
    wanted = {'batch-train': ('Training, ' + on, 'batch', 'images/s', rate_series(scaling, 'train')),
              'batch-infer': ('Inference, ' + on, 'batch', 'images/s', rate_series(scaling, 'infer')),
              'threads': ('Linnet, times one thread', 'threads', 'times', thread_series(networks)),
              'size': ('3x3 convolution, 64 to 64 channels, ' + on, 'height and width', 'GFLOP/s',
                       conv_series(scaling, 'size')),
              'channels': ('3x3 convolution at 28 x 28, ' + on, 'channels', 'GFLOP/s',
                           conv_series(scaling, 'channels')),
              'style': ('One iteration of style transfer, ' + on, 'height and width', 's', style_series(scaling))}
    return {name: svg.chart(*arguments) for name, arguments in wanted.items() if arguments[-1]}


def machine_table(records):
    found = {}
    for r in records:
        if r['bench'] == 'machine':
            key = r['name'], r.get('instruction_set', ''), r['unit']
            found.setdefault(key, {})[r['threads']] = r['median']
    threads = sorted({t for row in found.values() for t in row})
    head = ['what', 'instructions', 'unit'] + ['%d thread%s' % (t, 's' * (t > 1)) for t in threads]
    return table(head, [list(key) + [figure(row.get(t)) for t in threads] for key, row in found.items()])


def about_text(about):
    return ('%(processor)s, %(cores)s cores, %(memory_gib)s GiB, Linux %(kernel)s, %(compiler)s; oneDNN %(onednn)s, '
            'OpenBLAS %(openblas)s, ONNX Runtime %(onnxruntime)s, PyTorch %(torch)s; %(date)s, '
            'Linnet %(linnet)s' % about)


def page():
    about, networks = load('networks')
    conv_about, convolutions = load('convolutions')
    _, scaling = load('scaling')
    _, memories = load('memory')
    opencl_about, opencl = load('opencl')
    gpu_about, gpu = load('gpu')
    with open(os.path.join(HERE, 'performance.md.in')) as source:
        text = source.read().split('\n', 1)[1]  # the first line is the licence
    drawn = plots(networks, scaling, about.get('cores', 1))
    pictures = '\n\n'.join('![%s](performance/%s.svg)' % (name, name) for name in drawn)
    parts = {'machine': lambda: machine_table(networks), 'about': lambda: about_text(about),
             'conv_about': lambda: about_text(conv_about),
             'inference': lambda: inference(networks),
             'training': lambda: training(networks), 'style': lambda: style(networks),
             'memory': lambda: memory(memories), 'opencl_about': lambda: about_text(opencl_about),
             'opencl_layers': lambda: table(*report_opencl.layers(opencl)),
             'opencl_networks': lambda: table(*report_opencl.networks(opencl)),
             'opencl_start': lambda: table(*report_opencl.start(opencl)),
             'opencl_gpu': lambda: report_gpu.section(gpu, gpu_about, table),
             'conv_summary': lambda: conv_summary(convolutions),
             'conv_tables': lambda: conv_tables(convolutions),
             'below_opencl': lambda: '\n'.join(report_opencl.below(opencl)) or 'None.',
             'below_gpu': lambda: '\n'.join(report_gpu.below(gpu)) or 'None.',
             'below': lambda: below(convolutions), 'below_networks': lambda: below_networks(networks),
             'plots': lambda: pictures}
    for name, make in parts.items():
        if '{{' + name + '}}' in text:
            text = text.replace('{{' + name + '}}', make())
    files = {os.path.join(RAW, name + '.svg'): drawing for name, drawing in drawn.items()}
    files[os.path.join(DOCS, 'performance.md')] = text
    return files


def read(path):
    if not os.path.exists(path):
        return None
    with open(path) as source:
        return source.read()


def main():
    if sys.argv[1:2] == ['--gpu']:
        about, records = load_file(sys.argv[2])
        print(report_gpu.section(records, about, table))
        return
    files = page()
    if sys.argv[1:] == ['--check']:
        stale = [path for path, text in files.items() if read(path) != text]
        for path in stale:
            print('%s is not what report.py makes of the raw results' % os.path.relpath(path, os.path.dirname(DOCS)))
        sys.exit(bool(stale))
    for path, text in files.items():
        with open(path, 'w') as target:
            target.write(text)


if __name__ == '__main__':
    main()
