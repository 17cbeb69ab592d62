"""A line chart as SVG: number of rules across, on a logarithmic scale; lines are labelled where they end. Light and dark."""
import html, math

WIDTH, HEIGHT = 780, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 216, 64, 52
LABEL = 15  # height of a line's label
# Lightness and hue differ, for those who see few colours; each line has its label beside it anyway.
COLOURS = [("#1f6fd6", "#58a0f5"), ("#c2410c", "#f08a4b"), ("#0f8a6a", "#3cc39c"), ("#8a5a00", "#d9a521"), ("#7c3aed", "#b18cff"), ("#b0326f", "#ee7fb3"),
           ("#52606d", "#9aa8b5")]


# Of light and dark: paper, words, what stands back, grid.
INKS = [("#ffffff", "#1f2933", "#52606d", "#dde3e9"), ("#0d1117", "#e6edf3", "#9aa8b5", "#2b333c")]
STYLE = ("svg{font:13px system-ui,sans-serif}.title{font-weight:600;font-size:15px}.bold{font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}"
         ".line{fill:none;stroke-width:1.75}.ours{stroke-width:3.25}.dot{stroke-width:1.5}")


def colours(which):
    """The rules of light (0) or dark (1)."""
    paper, words, back, grid = INKS[which]
    of_lines = "".join(f".s{i}{{stroke:{pair[which]}}}.f{i}{{fill:{pair[which]}}}" for i, pair in enumerate(COLOURS))
    return f".paper{{fill:{paper}}}text{{fill:{words}}}.faint{{fill:{back}}}.grid{{stroke:{grid}}}.dot{{stroke:{paper}}}{of_lines}"


def short(value):
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    if value >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def rules(value):
    return f"{value // 1_000_000}M" if value >= 1_000_000 else f"{value // 1000}k" if value >= 1000 else str(value)


def ticks(low, high, logarithmic):
    if logarithmic:
        steps = (1,) if math.log10(high / low) > 3 else (1, 2, 5)
        all_of_them = (step * 10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for step in steps)
        return [tick for tick in all_of_them if low <= tick <= high]
    size = 10 ** math.floor(math.log10(high / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if high / (size * factor) <= 6)
    return [step * i for i in range(int(high / step) + 1)]


def spread(wanted):
    """Heights for labels, near those wanted, that leave room for each."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [wanted[i] for i in order]
    for _ in range(200):
        for i in range(len(placed) - 1):
            short_of = LABEL - (placed[i + 1] - placed[i])
            if short_of > 0.01:
                placed[i] -= short_of / 2
                placed[i + 1] += short_of / 2
    found = [0.0] * len(wanted)
    for position, i in zip(placed, order):
        found[i] = min(max(position, TOP), HEIGHT - BOTTOM)
    return found


def draw(title, unit, lines, logarithmic=False):
    """The SVG of lines [(label, emphasised, [(rules, value)])]; the unit says what goes up."""
    lines = [line for line in lines if line[2]]
    points = [point for line in lines for point in line[2]]
    xs = sorted({x for x, _ in points})
    values = [y for _, y in points]
    low, high = (min(values) / 1.3, max(values) * 1.3) if logarithmic else (0, max(values) * 1.08)
    scale = math.log10 if logarithmic else float
    across = lambda x: LEFT + (WIDTH - LEFT - RIGHT) * math.log10(x / xs[0]) / (math.log10(xs[-1] / xs[0]) or 1)
    up = lambda y: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (scale(y) - scale(low)) / (scale(high) - scale(low))
    text = lambda x, y, words, kind="": f'<text x="{x:.1f}" y="{y:.1f}"{kind}>{html.escape(words)}</text>'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{html.escape(title)}">',
        f"<style>{STYLE}{colours(0)}@media(prefers-color-scheme:dark){{{colours(1)}}}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="paper"/>',
        text(16, 26, title, ' class="title"'), text(16, 46, unit, ' class="faint"')]
    for tick in ticks(low, high, logarithmic):
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>')
        out.append(text(LEFT - 8, up(tick) + 4, short(tick), ' class="faint end"'))
    for x in xs:
        out.append(f'<line class="grid" x1="{across(x):.1f}" x2="{across(x):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        out.append(text(across(x), HEIGHT - BOTTOM + 18, rules(x), ' class="faint middle"'))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "rules", ' class="faint middle"'))
    reach = [line for line in lines if line[2][-1][0] == xs[-1]]
    heights = dict(zip((line[0] for line in reach), spread([up(line[2][-1][1]) for line in reach])))
    for number, (label, ours, course) in enumerate(lines):
        (end, value), n = course[-1], number % len(COLOURS)
        out.append(f'<polyline class="line s{n}{" ours" if ours else ""}" points="' + " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in course) + '"/>')
        out += [f'<circle class="dot f{n}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="4"><title>{html.escape(f"{label}, {x:,} rules: {y:,.4g}")}</title></circle>' for x, y in course]
        words, kind = f"{label} {short(value)}", ' class="bold"' if ours else ""
        if label in heights:
            height = heights[label]
            out.append(f'<line class="s{n}" x1="{across(end) + 6:.1f}" y1="{up(value):.1f}" x2="{WIDTH - RIGHT + 16}" y2="{height:.1f}"/>')
            out.append(text(WIDTH - RIGHT + 20, height + 4, words, kind))
        else:  # ends before the others
            out.append(text(across(end) + 8, up(value) - 8, words, kind))
    return "\n".join(out) + "\n</svg>\n"
