"""What is printed of the results: a table for each measurement, the summary for the README, and the bars that zdaemon
is held to, each with the measured figure. Measures nothing."""
from measure import PIPELINE
from peers import DEBIAN, LOGGING, OURS

FLOOR = "floor-musl"


def shown(value):
    if value is None:
        return ""
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}" if value >= 100 else f"{value:.2f}"


def table(title, rows):
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = [f"\n### {title}", "", "| | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(shown(row.get(column)) for column in columns) + " |")
    return "\n".join(lines)


SUMMARY = [("memory of one, KiB", "memory", "memory"), ("`status`, us", "status", "us"), ("`start` returns, ms", "life", "start returns"),
           ("`restart`, ms", "life", "restart returns"), ("`stop`, ms", "life", "stop returns"), ("crash to respawn, ms", "life", "crash to respawn"),
           ("output in 64 KiB writes, CPU s/GiB", "capture", "tmpfs 64 KiB: CPU s/GiB"), ("in lines of 100 bytes", "capture", "tmpfs 100 B: CPU s/GiB")]


def of(results, measure, name, column):
    """A result. The memory of an instance is that of one with transcript and event log; the floor of capture is a pipeline."""
    name = {("memory", OURS): LOGGING, ("capture", FLOOR): PIPELINE}.get((measure, name), name)
    return results.get(measure, {}).get(name, {}).get(column)


def summary(results):
    names = dict.fromkeys(name for rows in results.values() for name in rows)
    lines = ["\n### In short", "", "| | " + " | ".join(column for column, _, _ in SUMMARY) + " |", "|---|" + "--:|" * len(SUMMARY)]
    for name in names:
        if name == OURS or name in DEBIAN or name.startswith("floor"):
            lines.append(f"| {name} | " + " | ".join(shown(of(results, measure, name, column)) for _, measure, column in SUMMARY) + " |")
    return "\n".join(lines)


class Judge:
    """Collects verdicts; what was not measured is neither reached nor missed."""

    def __init__(self, results):
        self.results, self.lines, self.missed = results, [], 0

    def say(self, reached, bar, figure=""):
        verdict = {None: "not measured", True: "ok", False: "MISSED"}[reached]
        self.missed += reached is False
        self.lines.append(f"{verdict}: {bar}{': ' if figure else ''}{figure}")

    def ratio(self, what, bound, measure, column, at_least=False):
        ours, floor = of(self.results, measure, OURS, column), of(self.results, measure, FLOOR, column)
        bar = f"{what} at {'least' if at_least else 'most'} {bound} x floor"
        if not ours or not floor:
            return self.say(None, bar)
        ratio = ours / floor
        self.say(ratio >= bound if at_least else ratio <= bound, bar, f"{shown(ours)} / {shown(floor)} = {ratio:.2f}")

    def limit(self, what, most, measure, column):
        ours = of(self.results, measure, OURS, column)
        self.say(None if ours is None else ours <= most, f"{what} at most {most:,}", "" if ours is None else shown(ours))

    def ahead(self, what, measure, column):
        ours = of(self.results, measure, OURS, column)
        others = {name: of(self.results, measure, name, column) for name in DEBIAN}
        if column == "start returns":  # where the supervisor stays in the foreground, the command that starts the program again
            others = {name: value or of(self.results, measure, name, "start again returns") for name, value in others.items()}
        others = {name: value for name, value in others.items() if value}
        bar = f"{what} ahead of every Debian peer"
        if ours is None or not others:
            return self.say(None, bar)
        best = min(others, key=others.get)
        self.say(ours < others[best], bar, f"{shown(ours)}; the best of them, {best}: {shown(others[best])}")


def judge_counts(results):
    """(lines, number of bars missed) of those that do not depend on the machine's load."""
    see = Judge(results)
    see.limit("private dirty KiB of one", 20, "memory", "private dirty")
    see.limit("instructions of status", 60000, "work", "status: instructions")
    see.limit("bytes of the binary", 409600, "size", "bytes")
    return see.lines, see.missed


def judge(results, size):
    """(lines, number of bars missed)."""
    see = Judge(results)
    see.ratio(f"memory of each of {size.fleet} with transcript and event log", 1.3, "memory", "memory")
    see.ahead("memory", "memory", "memory")
    see.ratio("status", 1.3, "status", "us")
    see.ahead("status", "status", "us")
    for what, column in (("start until the program's first instruction", "start: program"), ("start until it returns", "start returns"),
                         ("restart until the next program's first instruction", "restart: program"), ("restart until it returns", "restart returns"), ("stop until it returns", "stop returns"), ("crash to respawn", "crash to respawn")):
        see.ratio(what, 1.5, "life", column)
        see.ahead(what, "life", column)
    for place in ("tmpfs", "disk") if size.disk else ("tmpfs",):
        see.ratio(f"capture of 64 KiB writes on {place}, speed,", 0.95, "capture", f"{place} 64 KiB: GiB/s", at_least=True)
        see.ratio(f"capture of 64 KiB writes on {place}, processor,", 1.1, "capture", f"{place} 64 KiB: CPU s/GiB")
        # 0.7 s/GiB where plain reading and writing takes 2.2
        see.ratio(f"capture of 100-byte lines on {place}, processor,", 0.32, "capture", f"{place} 100 B: CPU s/GiB")
    see.limit("ms until a lone line is in the file", 2, "capture", "lone line, ms")
    see.limit(f"idle for {size.idle:.0f} s: times put on a processor", 0, "idle", "switches")
    lines, missed = judge_counts(results)
    return ["", *see.lines, *lines], see.missed + missed
