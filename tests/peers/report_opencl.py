# SPDX-License-Identifier: Apache-2.0
"""Tables of the opencl backend beside our own cpu backend, for report.py."""
import statistics

import opencl


def median(records, field, **wanted):
    found = [r[field] for r in records if field in r and all(r.get(k) == v for k, v in wanted.items())]
    return statistics.median(found) if found else None


def of_cpu(records, **wanted):
    """How many times the cpu backend's speed: the median of the rounds' ratios."""
    times = {b: {r['round']: r['median_ms'] for r in records if r.get('backend') == b and 'median_ms' in r and
                 all(r.get(k) == v for k, v in wanted.items())} for b in ('cpu', 'opencl')}
    ratios = [times['cpu'][n] / times['opencl'][n] for n in times['cpu'] if n in times['opencl']]
    return statistics.median(ratios) if ratios else None


def marked(text, value, bar):
    return '**%s**' % text if bar and value < bar else text


def peak(records):
    """Multiply-adds of all cores, GFLOP/s: the best instruction set's."""
    return max((r['median'] for r in records if r['bench'] == 'machine' and r['name'] == 'multiply-adds'), default=0)


def ratio_bar(name):
    return opencl.OF_CPU if opencl.LAYERS[name][1] else opencl.OF_CPU_GEMM


def layer(records, name, direction, most):
    """Its GFLOP/s, their bar or None, and times cpu; None: not measured."""
    rate = median(records, 'gflops', layer=name, direction=direction, backend='opencl')
    ratio = of_cpu(records, layer=name, direction=direction)
    return None if rate is None or ratio is None else (rate, opencl.layer_bar(name, direction, most), ratio)


def layer_cells(records, name, direction, most):
    found = layer(records, name, direction, most)
    if not found:
        return ['', '', '']
    rate, bar, ratio = found
    return [marked('%.3g' % rate, rate, bar), '%.3g' % bar if bar else '',
            marked('%.2f' % ratio, ratio, ratio_bar(name))]


def layers(records):
    """Rows: a layer and its case; then for each direction GFLOP/s, its bar, and times cpu."""
    head = ['layer', 'shape']
    for short in opencl.DIRECTIONS.values():
        head += [short + ', GFLOP/s', 'bar', 'of cpu']
    rows = [[name, case.split(':')[1]] + [cell for direction in opencl.DIRECTIONS
                                          for cell in layer_cells(records, name, direction, peak(records))]
            for name, (case, _) in opencl.LAYERS.items()]
    return head, rows


def below(records):
    """Lines: what is below its bars."""
    out = []
    for name in opencl.LAYERS:
        for direction, short in opencl.DIRECTIONS.items():
            found = layer(records, name, direction, peak(records))
            if found and found[1] and found[0] < found[1]:
                out.append('- %s, %s: %.3g of %.3g GFLOP/s' % (name, short, found[0], found[1]))
            if found and found[2] < ratio_bar(name):
                out.append('- %s, %s: %.2f of %.2f of cpu' % (name, short, found[2], ratio_bar(name)))
    head, rows = networks(records)
    out += ['- %s, %s: %s' % (row[0], column, cell.strip('*')) for row in rows for column, cell in zip(head, row)
            if cell.startswith('**')]
    return out


def networks(records):
    head = ['network', 'batch', 'images/s', 'bar', 'cpu, images/s', 'of cpu', 'bar']
    rows = []
    for (network, mode), (batch, least, least_of_cpu) in opencl.NETWORKS.items():
        wanted = {'network': network, 'mode': mode}
        ms = [median(records, 'median_ms', backend=b, **wanted) for b in ('opencl', 'cpu')]
        rates, ratio = [1e3 * batch / m if m else 0 for m in ms], of_cpu(records, **wanted)
        if ratio:
            name = {'train': network + ', training', 'style': 'VGG-19 style, 256 x 256'}.get(mode, network)
            rows.append([name, str(batch),
                         marked('%.4g' % rates[0] if rates[0] < 1000 else '%.0f' % rates[0], rates[0], least),
                         str(least or ''), '%.4g' % rates[1] if rates[1] < 1000 else '%.0f' % rates[1],
                         marked('%.2f' % ratio, ratio, least_of_cpu), '%.2f' % least_of_cpu if least_of_cpu else ''])
    return head, rows


def start(records):
    head = ['caches', 'comparison at first use', 'first step after, s', 'bar']
    rows = []
    for check, said in (('never', 'left out'), ('first-use', 'as usual')):
        for caches in ('cold', 'warm'):
            ms = median(records, 'first_ms', caches=caches, check=check)
            bar = opencl.FIRST_STEP[caches] if (caches, check) != ('cold', 'first-use') else None
            if ms:
                text = '%.2f' % (1e-3 * ms)
                rows.append([caches, said, '**%s**' % text if bar and 1e-3 * ms > bar else text, str(bar or '')])
    return head, rows
