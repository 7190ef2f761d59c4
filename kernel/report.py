#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Judges what ./x kernel verify found, prints it and writes it into docs/kernels.md.

Usage: report.py [--doc FILE] [--seconds N] FOLDER NAME=RELEASE=VERSION...

FOLDER has a file NAME-LEVEL, and NAME-LEVEL-apicv where that ran, for each level of each kernel's
series, and NAME.levels with the patches' names.
"""

import argparse
import datetime
import json
import pathlib
import sys

BEGIN = "<!-- What follows was written by ./x kernel verify. -->"
END = "<!-- Here it ends. -->"

# What the stock kernels did when this was written. Another result is news: the distribution has
# picked something up.
STOCK = {
    ("6.1", "split", "moved-in-service"): ("no", 0),
    ("6.1", "split", "coincidence"): ("-", 0),
    ("6.1", "in-kernel", "moved-in-service"): ("yes", "all"),
    ("6.12", "split", "moved-in-service"): ("yes", "all"),
    ("6.12", "split", "coincidence"): ("-", "all"),
    ("6.12", "in-kernel", "moved-in-service"): ("yes", "all"),
}


class Row:
    """One scenario in one machine, as watch printed it."""

    def __init__(self, line):
        fields = line.split("\t")
        self.irqchip, self.scenario, self.order, self.arrived = fields[:4]
        self.first, self.reuses, self.gone = (int(field) for field in fields[4:7])
        self.induced = None
        if fields[7] != "-":
            self.induced = tuple(int(part) for part in fields[7].split("+"))
        self.key = (self.irqchip, self.scenario, self.order)
        # Of the EOIs before the reuses, one was waited for: the level interrupt's.
        self.extra = self.first - (self.arrived == "yes")
        if self.scenario == "level-then-edge" and self.arrived == "no":
            self.extra = self.first - 1 if self.first else 0

    def counts(self, apicv):
        """Exits too many (or necessary ones, for 'routed') before and in the reuses."""
        if not apicv:
            return self.extra, self.gone
        return self.induced[0] - (self.first - self.extra), self.induced[1]


class Run:
    """What one machine printed."""

    def __init__(self, path):
        self.rows, self.status, self.kernel, parts = {}, {}, None, {}
        part = None
        text = path.read_text(errors="replace") if path.exists() else ""
        for line in text.splitlines():
            if line.startswith("@kernel "):
                self.kernel = line.split()[1]
            elif line.startswith("@"):
                part, status = line[1:].split()
                self.status[part] = int(status)
                parts[part] = []
            elif part:
                parts[part].append(line)
        for line in parts.get("watch", []):
            if line.count("\t") == 7:
                row = Row(line)
                self.rows[row.key] = row
        stress = [line.split("\t") for line in parts.get("stress", []) if line.count("\t") == 2]
        self.stress = tuple(int(field) for field in stress[0]) if stress else None
        self.selftest = " ".join(parts.get("selftest", [])[-2:]).strip()
        try:
            self.probe = json.loads("\n".join(parts.get("probe", [])))
        except ValueError:
            self.probe = None


class Kernel:
    def __init__(self, folder, name, release, version):
        self.name, self.release, self.version = name, release, version
        self.patches = (folder / f"{name}.levels").read_text().split()
        self.levels = range(len(self.patches) + 1)
        self.runs = [Run(folder / f"{name}-{level}") for level in self.levels]
        self.apicv = [Run(folder / f"{name}-{level}-apicv") for level in self.levels]
        if not (folder / f"{name}-0-apicv").exists():
            self.apicv = None

    def level_of(self, patch):
        """The first level that has the patch; 0 for one the kernel came with."""
        return self.patches.index(patch) + 1 if patch in self.patches else 0


class Judge:
    def __init__(self):
        self.failures, self.news = [], []

    def expect(self, good, where, what):
        if not good:
            self.failures.append(f"{where}: {what}")

    def row(self, kernel, level, row, stock, apicv):
        where = f"{kernel.name} level {level}{' APICv' if apicv else ''}: {' '.join(row.key)}"
        extra, gone = row.counts(apicv)
        if row.scenario == "routed":
            self.expect(gone == row.reuses, where, f"{gone} of {row.reuses} necessary exits")
            return
        if row.scenario == "control":
            self.expect(gone == 0, where, f"{gone} exits of a vector that no route touched")
            return
        if stock.arrived == "yes":
            self.expect(row.arrived == "yes", where, "the EOI was lost, stock does not lose it")
        if level == 0 or row.scenario == "vector-rewrite":
            return
        in_kernel_tmr = row.irqchip == "in-kernel" and row.scenario == "level-then-edge"
        if row.arrived != "-" and not in_kernel_tmr:
            self.expect(row.arrived == "yes", where, "the EOI was lost")
        busy = row.scenario == "coincidence-busy"
        if level >= kernel.level_of("drop-stale-vectors") and not busy:
            self.expect(gone == 0, where, f"{gone} superfluous exits of {row.reuses} reuses")
            self.expect(extra <= 1, where, f"{extra} exits before the reuses")
        if level >= kernel.level_of("ignore-edge-namesakes"):
            self.expect(gone == 0, where, f"{gone} superfluous exits of {row.reuses} reuses")
            if "coincidence" in row.scenario:
                self.expect(extra == 0, where, f"{extra} exits before the reuses")

    def stock(self, kernel):
        for (name, irqchip, scenario), (arrived, gone) in STOCK.items():
            for row in kernel.runs[0].rows.values():
                if (name, irqchip, scenario) != (kernel.name, row.irqchip, row.scenario):
                    continue
                wanted = row.reuses if gone == "all" else gone
                if (row.arrived, row.gone) != (arrived, wanted):
                    self.news.append(
                        f"stock {kernel.release} ({kernel.version}), {' '.join(row.key)}: EOI "
                        f"{say_arrived(row)}, {row.gone} of {row.reuses}; it used to be "
                        f"{arrived}, {wanted}"
                    )

    def probe(self, kernel, level, run):
        """The probe must see from outside what watch sees from inside."""
        where = f"{kernel.name} level {level}: probe"
        if run.probe is None:
            self.expect(False, where, "no result")
            return
        for mode in run.probe["modes"]:
            for case in mode["cases"]:
                row = run.rows.get((mode["mode"], case["case"], case["order"] or "-"))
                if mode["mode"] == "split" and row:
                    same = case["superfluous"] == row.gone and (
                        case["eoi_arrived"] in (None, row.arrived == "yes")
                    )
                    self.expect(same, where, f"{' '.join(row.key)} differs from watch")

    def kernel(self, kernel):
        self.stock(kernel)
        last = kernel.levels[-1]
        rows = len(kernel.runs[0].rows)
        for level in kernel.levels:
            run = kernel.runs[level]
            self.expect(rows > 0 and len(run.rows) == rows, f"{kernel.name} level {level}",
                        f"{len(run.rows)} scenarios ran")
            for key, row in run.rows.items():
                self.row(kernel, level, row, kernel.runs[0].rows.get(key, row), False)
            self.probe(kernel, level, run)
            if level > 0:
                self.expect(run.stress is not None and run.stress[1] == 0,
                            f"{kernel.name} level {level}: stress", say_stress(run))
            passed = run.status.get("selftest") == 0
            if level == last:
                self.expect(passed, f"{kernel.name} level {level}: selftest", run.selftest)
            elif level == 0 and passed:
                self.news.append(f"the selftest passes on stock {kernel.release}")
            if kernel.apicv:
                apicv = kernel.apicv[level]
                self.expect(len(apicv.rows) == rows, f"{kernel.name} level {level} APICv",
                            f"{len(apicv.rows)} of {rows} scenarios ran")
                for key, row in apicv.rows.items():
                    self.row(kernel, level, row, kernel.apicv[0].rows.get(key, row), True)


def say_arrived(row):
    return {"yes": "arrives", "no": "LOST", "-": ""}[row.arrived]


def say_stress(run):
    if run.stress is None:
        return "did not run"
    rounds, lost, _ = run.stress
    return f"LOST, {lost} of {rounds}" if lost else f"{rounds} arrive"


def cell(row, apicv=False):
    if row is None:
        return "did not run"
    extra, gone = row.counts(apicv)
    text = f"{gone} of {row.reuses}"
    if row.scenario == "routed":
        return text + " (all needed)" if gone == row.reuses else text + " (!)"
    if extra > 0:
        text += f", +{extra}"
    return ", ".join(filter(None, (say_arrived(row), text)))


def heads(kernel):
    names = [f"{level}: {patch}" for level, patch in enumerate(kernel.patches, 1)]
    return ["irqchip", "scenario", "RTE halves", "stock"] + names


def table(kernel, runs, apicv):
    lines = [heads(kernel)]
    keys = dict.fromkeys(key for run in runs for key in run.rows)
    for key in keys:
        cells = [cell(run.rows.get(key), apicv) for run in runs]
        lines.append(list(key[:2]) + [key[2] if key[2] != "-" else ""] + cells)
    if not apicv:
        lines.append(["split", "stress", ""] + [say_stress(run) for run in runs])
        lines.append(["", "selftest", ""] + [
            "passes" if run.status.get("selftest") == 0 else "fails" for run in runs])
    return lines


def plain(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()


def markdown(lines):
    yield "| " + " | ".join(lines[0]) + " |"
    yield "|" + "---|" * len(lines[0])
    for line in lines[1:]:
        yield "| " + " | ".join(line) + " |"


def titles(kernel):
    title = f"Linux {kernel.release}, package version {kernel.version}"
    yield f"{title}, kvm-amd", kernel.runs, False
    if kernel.apicv:
        yield f"{title}, kvm-intel with APICv: EOI_INDUCED exits", kernel.apicv, True


def document(kernels, judge, date):
    yield f"Measured on {date}."
    for kernel in kernels:
        for title, runs, apicv in titles(kernel):
            yield from ["", f"### {title}", ""]
            yield from markdown(table(kernel, runs, apicv))
    for name, what in (("News", judge.news), ("Failures", judge.failures)):
        if what:
            yield from ["", f"### {name}", ""]
            yield from (f"- {line}" for line in what)


def write_document(path, lines):
    before, rest = path.read_text().split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + after)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--doc", type=pathlib.Path)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("kernel", nargs="+")
    args = parser.parse_args()
    kernels = [Kernel(args.folder, *kernel.split("=")) for kernel in args.kernel]
    judge = Judge()
    for kernel in kernels:
        judge.kernel(kernel)
        for title, runs, apicv in titles(kernel):
            print(f"\n{title}\n")
            print("\n".join(plain(table(kernel, runs, apicv))))
    print("\nLOST: the EOI of the interrupt in flight never came to the I/O APIC. N of M: so many"
          "\nof M later interrupts took a superfluous exit; +1: so did one before them.")
    for line in judge.news:
        print(f"News: {line}")
    for line in judge.failures:
        print(f"Failed: {line}")
    if args.seconds is not None:
        print(f"\nAll of it took {args.seconds // 60} min {args.seconds % 60} s.")
    if args.doc:
        date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        write_document(args.doc, document(kernels, judge, date))
    sys.exit(1 if judge.failures else 0)


if __name__ == "__main__":
    main()
