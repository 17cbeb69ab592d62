"""Draws samples as an SVG that suits light and dark pages."""

WIDTH, HEIGHT, LEFT, RIGHT, TOP, GAP = 860, 120, 64, 16, 46, 34
STYLE = """
  text { font: 12px sans-serif; fill: #333 } .title { font-weight: bold; font-size: 14px } .axis { stroke: #999; fill: none }
  .grid { stroke: #ddd } .fault { stroke: #e8b04a; opacity: .55 } .a { stroke: #1f6fb5 } .b { stroke: #c2452d } .a, .b { fill: none; stroke-width: 1.4 }
  .ta { fill: #1f6fb5 } .tb { fill: #c2452d } .warm { fill: #8882 }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } .grid { stroke: #444 } .axis { stroke: #888 } .a { stroke: #6fb3f0 } .b { stroke: #f08a72 }
    .ta { fill: #6fb3f0 } .tb { fill: #f08a72 } }
"""


def nice(top):
    """The next round number."""
    step = 10 ** len(str(int(top))) / 10
    for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10):
        if top <= factor * step:
            return factor * step
    return 10 * step


def panel(y, title, seconds, lines, warm):
    """A panel with one or two lines: (points, class, name)."""
    top = nice(max(value for points, _, _ in lines for _, value in points if value == value))
    at = lambda t, value: (LEFT + t / seconds * (WIDTH - LEFT - RIGHT), y + HEIGHT - min(value, top) / top * HEIGHT)  # noqa: E731
    out = [f'<rect class="warm" x="{LEFT}" y="{y}" width="{at(warm, 0)[0] - LEFT:.1f}" height="{HEIGHT}"/>']
    for part in (0, 0.5, 1):
        _, line = at(0, top * part)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{line:.1f}" y2="{line:.1f}"/>')
        out.append(f'<text x="{LEFT - 6}" y="{line + 4:.1f}" text-anchor="end">{top * part:g}</text>')
    legend = "  ".join(f'<tspan class="t{cls}">{name}</tspan>' for _, cls, name in lines)
    out.append(f'<text x="{LEFT}" y="{y - 7}">{title}: {legend}</text>')
    for points, cls, _ in lines:
        path = " ".join(f"{x:.1f},{v:.1f}" for x, v in (at(t, value) for t, value in points if value == value))
        out.append(f'<polyline class="{cls}" points="{path}"/>')
    return out


def draw(title, rows, faults, warm):
    seconds = rows[-1][0]
    column = lambda i: [(row[0], row[i]) for row in rows]  # noqa: E731
    panels = [("resident memory, MB", [(column(1), "a", "daemon")]),
              ("descriptors", [(column(2), "a", "open")]),
              ("threads", [(column(3), "a", "daemon")]),
              ("answer to a probe within 5 s, ms", [(column(4), "a", "p50"), (column(5), "b", "p99")])]
    height = TOP + len(panels) * (HEIGHT + GAP) + 10
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">', f"<style>{STYLE}</style>",
           f'<text class="title" x="{LEFT}" y="18">{title}</text>']
    for i, (name, lines) in enumerate(panels):
        out += panel(TOP + i * (HEIGHT + GAP), name, seconds, lines, warm)
    bottom = TOP + len(panels) * (HEIGHT + GAP) - GAP
    for t, _ in faults:
        x = LEFT + t / seconds * (WIDTH - LEFT - RIGHT)
        out.append(f'<line class="fault" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
    step = next(s for s in (30, 60, 300, 600, 1200, 3600, 7200) if seconds / s <= 8)
    for t in range(0, int(seconds) + 1, step):
        x = LEFT + t / seconds * (WIDTH - LEFT - RIGHT)
        out.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{t / 60:g} min</text>')
    return "\n".join([*out, "</svg>", ""])
