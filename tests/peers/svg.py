# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG, without a library."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 690, 400, 74, 200, 40, 52
COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#7f3c8d', '#8c6d31', '#777777', '#000000',
           '#b22222']


def number(value):
    for limit, unit in ((1e6, 'M'), (1e3, 'k')):
        if value >= limit:
            return '%g%s' % (value / limit, unit)
    return '%g' % value


def ticks(low, high):
    """1, 2 and 5 times powers of ten; more where there would be few."""
    steps = (1, 2, 5) if high > 20 * low else (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8)
    found = [m * 10.0**e for e in range(-6, 9) for m in steps]
    return [v for v in found if low * 0.999 <= v <= high * 1.001]


def place(value, low, high, start, end):
    part = (math.log(value) - math.log(low)) / (math.log(high) - math.log(low)) if high > low else 0.5
    return start + part * (end - start)


def chart(title, x_label, y_label, series):
    """series: [(name, [(x, y), ...], dashed)], both axes logarithmic. What is called the same up to a comma has one
    colour."""
    families = list(dict.fromkeys(name.split(',')[0] for name, _, _ in series))
    xs = sorted({x for _, points, _ in series for x, _ in points})
    ys = [y for _, points, _ in series for _, y in points]
    low, high = min(ys) / 1.3, max(ys) * 1.3

    def at(x, y):
        return (place(x, xs[0], xs[-1], LEFT + 12, WIDTH - RIGHT - 12), place(y, low, high, HEIGHT - BOTTOM, TOP))
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
           'font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT, WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="%d" y="22" font-size="15">%s</text>' % (LEFT, escape(title))]
    for y in ticks(low, high):
        _, height = at(xs[0], y)
        out.append('<path d="M%d %.1fH%d" stroke="#ddd"/>' % (LEFT, height, WIDTH - RIGHT))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (LEFT - 6, height + 4, number(y)))
    for x in xs:
        across, _ = at(x, high)
        out.append('<path d="M%.1f %dV%d" stroke="#eee"/>' % (across, TOP, HEIGHT - BOTTOM))
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (across, HEIGHT - BOTTOM + 16, number(x)))
    out.append('<path d="M%d %dH%dM%d %dV%d" stroke="#444"/>' % (LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, LEFT, TOP,
                                                                 HEIGHT - BOTTOM))
    out.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' % ((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 14,
                                                                       escape(x_label)))
    out.append('<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">%s</text>' % (
        (TOP + HEIGHT - BOTTOM) // 2, escape(y_label)))
    for i, (name, points, dashed) in enumerate(series):
        colour = COLOURS[families.index(name.split(',')[0]) % len(COLOURS)]
        out += curve(i, name, [at(x, y) for x, y in sorted(points)], dashed, colour)
    return '\n'.join(out + ['</svg>']) + '\n'


def curve(index, name, points, dashed, colour):
    path = 'M' + 'L'.join('%.1f %.1f' % p for p in points)
    style = ' stroke-dasharray="5 4"' if dashed else ''
    out = ['<path d="%s" fill="none" stroke="%s" stroke-width="2"%s/>' % (path, colour, style)]
    out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (x, y, 'white' if dashed else colour) +
            ('<circle cx="%.1f" cy="%.1f" r="3" fill="none" stroke="%s"/>' % (x, y, colour) if dashed else '')
            for x, y in points]
    height = TOP + 10 + 18 * index
    out.append('<path d="M%d %dh24" stroke="%s" stroke-width="2"%s/>' % (WIDTH - RIGHT + 10, height, colour, style))
    out.append('<text x="%d" y="%d">%s</text>' % (WIDTH - RIGHT + 40, height + 4, escape(name)))
    return out
