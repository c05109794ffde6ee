# SPDX-License-Identifier: Apache-2.0
"""Tables of Linnet on a GPU beside PyTorch on it, for report.py. What was not found right has no time."""
import re
import statistics

import gpu

NOT_MEASURED = 'Not measured yet.'
TITLES = {'train': ', training', 'infer': ', inference', 'style': ''}
DIRECTIONS = {'forward': 'forward', 'backward_data': 'data', 'backward_weights': 'weights'}


def rounds(records, **wanted):
    """engine -> round -> milliseconds"""
    found = {}
    for r in records:
        if 'median_ms' in r and all(r.get(k) == v for k, v in wanted.items()):
            found.setdefault(r['engine'], {})[r['round']] = r['median_ms']
    return found


def best_peer(times, resident=False):
    """The name of the fastest by its median; None: there is none."""
    names = [n for n in times if n != 'linnet' and n.endswith('-resident') == resident]
    return min(names, key=lambda n: statistics.median(times[n].values()), default=None)


def ratio(times, peer):
    """How many times the peer's speed: the median of the rounds' ratios."""
    ours, theirs = times.get('linnet', {}), times.get(peer, {})
    found = [theirs[n] / ours[n] for n in ours if n in theirs]
    return statistics.median(found) if found else None


def is_right(records, what):
    return any(r['bench'] == 'check' and r['what'] == what and r['right'] for r in records)


def marked(text, value, bar):
    return '**%s**' % text if bar and value < bar else text


def rate(value):
    return '%.0f' % value if value >= 1000 else '%.4g' % value


def mib(bytes_):
    return '%.0f' % (bytes_ / 2**20) if bytes_ else ''


def layer_cells(records, name, direction):
    times = rounds(records, bench='layer', layer=name, direction=direction)
    found = [r for r in records if r.get('layer') == name and r.get('direction') == direction and 'gflops' in r]
    peer = best_peer(times)
    times_peer = ratio(times, peer)
    if times_peer is None or not found:
        return ['', '']
    gflops = statistics.median(r['gflops'] for r in found)
    way = peer.replace('torch-', '')
    return ['%s %s' % (rate(gflops), found[-1]['implementation']),
            '%s %s' % (marked('%.2f' % times_peer, times_peer, gpu.LAYER_BAR), way)]


def layers(records):
    head = ['layer', 'shape']
    for short in DIRECTIONS.values():
        head += [short + ', GFLOP/s', 'times']
    known = dict(gpu.LAYERS, **gpu.QUICK_LAYERS)
    names = dict.fromkeys(r['layer'] for r in records if r['bench'] == 'layer')
    rows = [[name, known.get(name, ':').split(':')[1]] + [c for d in DIRECTIONS for c in layer_cells(records, name, d)]
            for name in names if is_right(records, name)]
    return head, [row for row in rows if any(row[2:])]


def below(records):
    """Lines: what is below its bar."""
    head, rows = layers(records)
    out = ['- %s, %s: %s of %.1f' % (row[0], head[i - 1].split(',')[0], row[i].split()[0].strip('*'), gpu.LAYER_BAR)
           for row in rows for i in range(len(row)) if row[i].startswith('**')]
    return out + ['- %s: %s of %s' % (row[0], row[6].strip('*'), row[7]) for row in networks(records)[1]
                  if row[6].startswith('**')]


def network_row(records, network, mode, batch, bar):
    times = rounds(records, bench='network', network=network, mode=mode, batch=batch)
    peer, resident = best_peer(times), best_peer(times, True)
    times_peer = ratio(times, peer)
    if times_peer is None or not is_right(records, '%s, %s' % (network, mode)):
        return None
    images = 1 if mode == 'style' else batch
    rates = [rate(1e3 * images / statistics.median(times[n].values())) if n else '' for n in
             ('linnet', peer, resident)]
    name = 'VGG-19 style, %d x %d' % (batch, batch) if mode == 'style' else network + TITLES[mode]
    return [name, str(images), *rates[:2], peer.replace('torch-', ''), rates[2],
            marked('%.2f' % times_peer, times_peer, bar), '%.1f' % bar]


def listed(records):
    """The networks of the bars, or those of a trial, in the order in which they were measured."""
    keys = {n[:3]: n for n in gpu.NETWORKS}
    keys.update({n[:3]: n for n in gpu.QUICK_NETWORKS if n[:3] not in keys})
    found = dict.fromkeys((r['network'], r['mode'], r['batch']) for r in records if r['bench'] == 'network')
    return [keys[key] for key in found if key in keys]


def networks(records):
    head = ['network', 'batch', 'images/s', 'PyTorch, images/s', 'layout', 'data on the device', 'times', 'bar']
    rows = [network_row(records, *network[:4]) for network in listed(records)]
    return head, [row for row in rows if row]


def memory_row(records, network, mode, batch):
    mine = [r for r in records if (r.get('network'), r.get('mode'), r.get('batch')) == (network, mode, batch)]
    ours = max((r['peak_memory_bytes'] for r in mine if 'peak_memory_bytes' in r), default=0)
    whole = max((r['device_bytes'] for r in mine if 'device_bytes' in r), default=0)
    theirs = [r for r in mine if 'allocated_bytes' in r and not r['engine'].endswith('-resident')]
    least = min(theirs, key=lambda r: r['allocated_bytes'], default={})
    name = 'VGG-19 style, %d x %d' % (batch, batch) if mode == 'style' else network + TITLES[mode]
    return [name, mib(ours), mib(least.get('allocated_bytes')), mib(whole)]


def memory(records):
    head = ['device memory, MiB', 'Linnet', 'PyTorch, tensors', "Linnet's process"]
    return head, [row for row in (memory_row(records, *n[:3]) for n in listed(records)) if row[1]]


def about(records):
    machine = next((r for r in records if r['bench'] == 'gpu'), {})
    device = next((r for r in records if r['bench'] == 'device' and r.get('default')), {})
    copy = next((r for r in records if r['bench'] == 'copy'), {})
    words = [device.get('name') or machine.get('device', '?'), device.get('version', '')]
    words += ['PyTorch %s on %s' % (machine.get('torch', '?'), machine.get('gpu') or machine.get('peer', '?'))]
    words += ['CUDA %(cuda)s, cuDNN %(cudnn)s' % machine] if 'cuda' in machine else []
    words += ['copies %.0f GB/s' % copy['gigabytes_per_second']] if 'gigabytes_per_second' in copy else []
    return '; '.join(word for word in words if word)


def tuning(records):
    lines = []
    for r in records:
        if r['bench'] == 'tune' and 'before_ms' in r:
            lines.append('- %s%s: %.4g ms before, %.4g ms after %d implementations of %d layers%s%s: %s' % (
                r['network'], TITLES.get(r['mode'], ''), r['before_ms'], r['after_ms'], r['measured'], r['layers'],
                ', %d of them wrong' % r['wrong'] if r['wrong'] else '',
                ', stopped at its limit' if r['stopped'] else '', 'the same plan' if r.get('same') else 'kept' if r['kept'] else 'not kept'))
    return lines


def remarks(records):
    """What was found wrong, what failed and what the time did not suffice for."""
    lines = []
    for r in records:
        if r['bench'] == 'selftest':
            wrong = ' (%s)' % ', '.join(r['wrong'][:10] + ['...'] * (len(r['wrong']) > 10)) if r['wrong'] else ''
            lines.append('- `linnet selftest%s`: %d cases passed, %d failed%s, %d skipped%s' % (
                ' --quick' * r['few'], r['passed'], r['failed'], wrong, r['skipped'],
                '' if r['complete'] else '; not finished: ' + r.get('why', '')))
        elif r['bench'] == 'check' and not r['right']:
            errors = ', '.join('%s %.2g' % item for item in r.get('errors', {}).items())
            lines.append('- %s: **%s** (%s)' % (r['what'], 'not compared' if 'error' in r else 'not what PyTorch computes',
                                                r.get('error') or errors))
        elif 'error' in r:
            what = r.get('what') or r.get('layer') or r.get('network') or r['bench']
            lines.append('- %s%s: %s' % (what, ', ' + r['engine'] if 'engine' in r else '', r['error']))
    late = [r['what'] for r in records if r['bench'] == 'left out']
    again = [what for what in late if re.search(r', round [1-9]', what)]
    never = [what.removesuffix(', round 0') for what in late if what not in again]
    lines += ['- Left out, the time was over: ' + '; '.join(never)] if never else []
    lines += ['- Further rounds that the time did not suffice for: %d' % len(again)] if again else []
    errors = {}
    for r in records:
        for name, value in r['errors'].items() if r['bench'] == 'check' and r['right'] else ():
            errors[name] = max(value, errors.get(name, 0))
    if errors:
        lines.append('- Largest differences of what was timed from PyTorch: ' +
                     ', '.join('%s %.2g' % (name.replace('_', ' '), value) for name, value in errors.items()))
    return list(dict.fromkeys(lines))


def section(records, about_run, table):
    if not any(r['bench'] == 'gpu' for r in records):
        return NOT_MEASURED
    out = ['Measured on: %s; %s, Linnet %s.' % (about(records), about_run.get('date'), about_run.get('linnet'))]
    out += [table(*made) for made in (networks(records), layers(records), memory(records)) if made[1]]
    for title, lines in (('The tuner:', tuning(records)), ('And:', remarks(records))):
        out += [title, '\n'.join(lines)] if lines else []
    return '\n\n'.join(out)
