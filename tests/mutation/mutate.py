#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the core in many small ways and reports what the tests do not notice.

Usage: mutate.py [--count N] [--seed S] [--only FILE[:LINE]] [--log]

Each mutant is one change to one statement of src/core or src/eoi, their headers' inline functions
included: a condition flipped, a statement dropped, a bound off by one, a constant or an operator
changed, a result negated or 0. They are drawn evenly over the functions, by the seed that is
printed; the same seed draws the same of the same sources only. A mutant that does not compile, or
compiles to the same code, is no mutant and another one is drawn. --log adds a line to
tests/mutation/log.tsv: when, the seed, the commit, how many were drawn and killed, and those that
were not. --count 0 only says how many there are.

The sources are copied to build-mutants with all their symbols visible, and built as one shared
object that the quick unit tests and the fuzzers' drivers are linked with: so one mutant costs one
compilation, or one for each source that includes the header, one link and as many tests as it takes
until one fails, those that killed most of that file's first. What judges keeps the headers as they
are. Exit status: 0, or 1 if the score is below 90 %.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build-mutants"
LOG = ROOT / "tests/mutation/log.tsv"
WANTED = 0.9
CFLAGS = ["-std=c11", "-O1", "-w", "-fPIC", "-D_GNU_SOURCE", "-DLW_DOUBLES"]
ENVIRONMENT = dict(os.environ, LAPWING_QUICK="1", LD_LIBRARY_PATH=str(BUILD),
                   CMOCKA_MESSAGE_OUTPUT="TAP", LAPWING_SOURCE=str(ROOT))
HARNESSES = ("chip", "ioapic", "lapic", "pic", "routes", "wild")
FUNCTION = re.compile(r"^[a-z][^;=]*?\b(\w+)\([^;]*$")
SWAPS = [
    (r"==", "!="), (r"!=", "=="), (r"(?<![<-])<=", "<"), (r"(?<![>-])>=", ">"),
    (r" < ", " <= "), (r" > ", " >= "), (r"&&", "||"), (r"\|\|", "&&"),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"), (r" \+ ", " - "), (r" - ", " + "),
    (r"\|=", "&="), (r"\+\+", "--"), (r" << ", " >> "), (r" >> ", " << "), (r" & ", " | "),
    (r" \| ", " & "), (r"(?<=[(&| ])!(?=\w|\()", ""),
]
STATEMENT = re.compile(r"^\t+(?!return|break|continue|goto|case|default|static|const|struct|enum|"
                       r"uint|int |bool |size_t|unsigned|_Atomic|void|char|else)[\w(*].*;$")
RETURN = re.compile(r"^(\t+)return (.*)$")
CONSTANT = re.compile(r"^(\d+u?|-?[A-Z_0-9]+|true|false|NULL)$")
NUMBER = re.compile(r"(?<![\w.])(\d+)(u|ull)?(?![\w.])")


class Mutant:
    """`lines` of them from line `number` on, counted from 0, become `after`."""

    def __init__(self, path, number, lines, function, before, after, what):
        self.path, self.number, self.lines, self.function = path, number, lines, function
        self.before, self.after, self.what = before, after, what

    def short(self):
        change = f"{self.before.strip()} -> {self.after.strip() or '(dropped)'}"
        return f"{self.path.name}:{self.function}:{change}".replace("\t", " ")

    def __str__(self):
        where = f"{self.path.relative_to(ROOT)}:{self.number + 1}: {self.function}(): {self.what}"
        return f"{where}\n    - {self.before.strip()}\n    + {self.after.strip() or '(dropped)'}"


def mutants_of_line(line):
    """All that can be done to one line: (text, what)."""
    code = line.split("/*")[0]
    for pattern, instead in SWAPS:
        for match in re.finditer(pattern, code):
            text = line[:match.start()] + instead + line[match.end():]
            yield text, f"'{match.group().strip()}' to '{instead.strip()}'"
    for match in NUMBER.finditer(code):
        value = int(match.group(1))
        for other in {value + 1, max(value - 1, 0)} - {value}:
            text = line[:match.start(1)] + str(other) + line[match.end(1):]
            yield text, f"{value} to {other}"
    match = re.match(r"^(\t+)if \((.*)\)( \{)?$", code.rstrip())
    if match:
        yield f"{match.group(1)}if (!({match.group(2)})){match.group(3) or ''}", "condition flipped"
    if STATEMENT.match(code.rstrip()) and code.count("(") == code.count(")"):
        indent = re.match(r"\t+", code).group()
        yield indent + ";", "statement dropped"


def mutants_of_return(lines, number):
    """What a function returns, be it on several lines: (how many, before, text, what)."""
    match = RETURN.match(lines[number])
    if not match:
        return
    count, text = 1, lines[number].split("/*")[0].rstrip()
    while not text.endswith(";") and number + count < len(lines):
        text += " " + lines[number + count].strip().split("/*")[0].rstrip()
        count += 1
    indent, value = RETURN.match(text).groups()
    value = value.rstrip(";")
    if CONSTANT.match(value):
        return
    yield count, text, f"{indent}return !({value});", "negated"
    yield count, text, f"{indent}return 0;", "returns 0"


def mutants_of_file(path):
    """By function: every mutant of its body."""
    found = {}
    named = function = None
    comment = False
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        match = FUNCTION.match(line)
        if match and not line.startswith("typedef"):
            named = match.group(1)
        if line.startswith("{"):
            function = named
        if line.startswith("}"):
            named = function = None
        comment = comment or line.lstrip().startswith("/*")
        if function and line.startswith("\t") and not comment and "LW_LEFT_OUT" not in line:
            mutants = found.setdefault(function, [])
            for text, what in mutants_of_line(line):
                mutants.append(Mutant(path, number, 1, function, line, text, what))
            for count, before, text, what in mutants_of_return(lines, number):
                mutants.append(Mutant(path, number, count, function, before, text, what))
        if "*/" in line:
            comment = False
    return found


def run(command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False, **options)


def must(command):
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stderr}")


class Bench:
    """The copy of the sources, its objects, and the tests."""

    def __init__(self):
        self.tests = {}
        self.kills = {}
        self.baseline = {}
        self.sources = [path for folder in ("core", "eoi")
                        for path in sorted((ROOT / "src" / folder).glob("*.c"))]
        self.headers = [path for folder in ("core", "eoi")
                        for path in sorted((ROOT / "src" / folder).glob("*.h"))]
        self.others = sorted((ROOT / "src/kvm").glob("state_*.c"))
        self.users = {}

    def copy_of(self, path):
        return BUILD / "tree" / path.relative_to(ROOT)

    def object_of(self, path):
        return BUILD / (path.parent.name + "_" + path.stem + ".o")

    def includes(self):
        tree = BUILD / "tree"
        return [f"-I{tree / 'include'}", f"-I{tree / 'src'}", f"-I{ROOT / 'tests'}",
                f"-I{ROOT / 'tests/unit'}", f"-I{ROOT / 'fuzz'}"]

    def compile(self, path, output):
        return run(["gcc", *CFLAGS, *self.includes(), "-c", path, "-o", output]).returncode == 0

    def note_includes(self):
        """By header: the sources that are compiled anew when it changes."""
        for path in self.sources + self.others:
            said = subprocess.run(["gcc", *CFLAGS, *self.includes(), "-MM", self.copy_of(path)],
                                  capture_output=True, text=True, check=True).stdout
            for name in said.replace("\\\n", " ").split():
                self.users.setdefault(name, []).append(path)

    def users_of(self, path):
        return [path] if path.suffix == ".c" else self.users.get(str(self.copy_of(path)), [])

    def link(self):
        objects = [self.object_of(path) for path in self.sources + self.others]
        return run(["gcc", "-shared", *objects, BUILD / "left_out.o", "-o",
                    BUILD / "libcore.so"]).returncode == 0

    def prepare(self):
        shutil.rmtree(BUILD, ignore_errors=True)
        for folder in ("src", "include"):
            shutil.copytree(ROOT / folder, BUILD / "tree" / folder)
        for header in (BUILD / "tree").rglob("*.h"):
            text = header.read_text(encoding="utf-8")
            header.write_text(re.sub(r"#pragma GCC visibility.*\n", "\n", text), encoding="utf-8")
        (BUILD / "left_out.c").write_text("unsigned lw_left_out;\n", encoding="ascii")
        must(["gcc", "-fPIC", "-c", BUILD / "left_out.c", "-o", BUILD / "left_out.o"])
        for path in self.sources + self.others:
            if not self.compile(self.copy_of(path), self.object_of(path)):
                sys.exit(f"{path} does not compile")
        if not self.link():
            sys.exit("the core does not link")
        self.note_includes()
        self.build_support()
        self.build_tests()

    def build_support(self):
        sources = [*(ROOT / "src/machine").glob("*.c"), *(ROOT / "tests/model").glob("*.c")]
        self.support = []
        for path in sources:
            output = BUILD / f"support_{path.stem}.o"
            must(["gcc", *CFLAGS, *self.includes(), "-c", path, "-o", output])
            self.support.append(output)

    def build_tests(self):
        text = (ROOT / "tests/unit/meson.build").read_text(encoding="utf-8")
        slow = set(re.findall(r"\{'name': '(\w+)', 'suite': 'slow'", text))
        left_out = []
        for path in sorted((ROOT / "tests/unit").glob("test_*.c")):
            name = path.stem[5:]
            if name not in slow and not self.build_test(name, [path], "-lcmocka"):
                left_out.append(name)
        for name in HARNESSES:
            folder = ROOT / "fuzz"
            files = [folder / f"{name}.c", *sorted(folder.glob(f"{name}_*.c")),
                     folder / "count.c", folder / "driver.c", folder / "history.c"]
            if not self.build_test("fuzz_" + name, files, f'-DFUZZ_NAME="{name}"'):
                sys.exit(f"fuzz/{name}.c does not build")
            must([folder / "corpus.py", "unpack", name, BUILD / f"seeds_{name}"])
        print(f"Not linked with the core alone, so not used: {' '.join(left_out)}")

    def build_test(self, name, files, option):
        program = BUILD / name
        built = run(["gcc", *CFLAGS, *self.includes(), *files, *self.support, "-o", program,
                     f"-L{BUILD}", "-lcore", "-lpthread", option]).returncode == 0
        if built:
            seeds = BUILD / f"seeds_{name[5:]}"
            self.tests[name] = [program] if not name.startswith("fuzz_") else [program, seeds]
        return built

    def fails(self, name):
        command = self.tests[name]
        if len(command) == 2:
            command = [command[0], *sorted(command[1].iterdir())]
        limit = 5 + 10 * self.baseline.get(name, 6)
        try:
            return run(command, env=ENVIRONMENT, timeout=limit, cwd=BUILD).returncode != 0
        except subprocess.TimeoutExpired:
            return True

    def time_tests(self):
        for name in list(self.tests):
            began = time.monotonic()
            if self.fails(name):
                print(f"{name} fails without a mutant, so it is not used")
                del self.tests[name]
            self.baseline[name] = time.monotonic() - began

    def order(self, path):
        kills = self.kills.setdefault(path, {})
        part = path.stem.split("_")[0]
        return sorted(self.tests, key=lambda name: (-kills.get(name, 0), part not in name,
                                                    self.baseline[name]))

    def killer(self, path):
        for name in self.order(path):
            if self.fails(name):
                self.kills[path][name] = self.kills[path].get(name, 0) + 1
                return name
        return None

    def compile_anew(self, paths):
        """None if one does not compile; else whether any is another than it was."""
        changed = False
        for path in paths:
            output = self.object_of(path)
            before = output.read_bytes()
            if not self.compile(self.copy_of(path), output):
                return None
            changed = changed or output.read_bytes() != before
        return changed

    def judge(self, mutant):
        """None: it is no mutant. Else the test that noticed, or ''."""
        copy, users = self.copy_of(mutant.path), self.users_of(mutant.path)
        kept = {path: self.object_of(path).read_bytes() for path in users}
        text = copy.read_text(encoding="utf-8")
        lines = text.splitlines()
        lines[mutant.number:mutant.number + mutant.lines] = [mutant.after]
        copy.write_text("\n".join(lines) + "\n", encoding="utf-8")
        changed = self.compile_anew(users)
        copy.write_text(text, encoding="utf-8")
        verdict = None
        if changed and self.link():
            verdict = self.killer(mutant.path) or ""
        for path, content in kept.items():
            self.object_of(path).write_bytes(content)
        return verdict


def drawn(mutants, generator):
    """Evenly over the functions, for ever: one of each in turn, in an order of chance."""
    pools = {name: generator.sample(found, len(found)) for name, found in sorted(mutants.items())}
    while pools:
        for name in generator.sample(sorted(pools), len(pools)):
            yield pools[name].pop()
            if not pools[name]:
                del pools[name]


def choose(bench, only):
    mutants = {}
    for path in bench.sources + bench.headers:
        name = str(path.relative_to(ROOT))
        if only and not only.startswith(name):
            continue
        line = int(only.split(":")[1]) if only and ":" in only else None
        for function, found in mutants_of_file(path).items():
            found = [m for m in found if line is None or m.number + 1 == line]
            if found:
                mutants[f"{name}:{function}"] = found
    return mutants


def arguments():
    parser = argparse.ArgumentParser(prog="./x mutate", description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=200, help="how many mutants (200)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="draw as then")
    parser.add_argument("--only", metavar="FILE[:LINE]", help="mutants of this file or line")
    parser.add_argument("--log", action="store_true", help="add a line to tests/mutation/log.tsv")
    return parser.parse_args()


def write_log(seed, tried, survivors):
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                            capture_output=True, text=True, check=False).stdout.strip()
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    row = (when, seed, commit or "-", tried, tried - len(survivors),
           "; ".join(m.short() for m in survivors) or "-")
    with LOG.open("a", encoding="utf-8") as log:
        print(*row, sep="\t", file=log)


def try_all(bench, mutants, args):
    tried, survivors = 0, []
    for mutant in drawn(mutants, random.Random(args.seed)):
        if tried >= args.count:
            break
        verdict = bench.judge(mutant)
        if verdict is None:
            continue
        tried += 1
        if not verdict:
            survivors.append(mutant)
            print(f"{tried}: SURVIVES {mutant}")
        elif tried % 20 == 0:
            print(f"{tried} tried, {len(survivors)} survive")
    return tried, survivors


def main():
    sys.stdout.reconfigure(line_buffering=True)
    args = arguments()
    bench = Bench()
    mutants = choose(bench, args.only)
    print(f"{sum(map(len, mutants.values()))} mutants of {len(mutants)} functions")
    if not args.count:
        return 0
    print(f"seed {args.seed}")
    bench.prepare()
    bench.time_tests()
    print(f"{len(bench.tests)} tests")
    tried, survivors = try_all(bench, mutants, args)
    score = 1 - len(survivors) / max(tried, 1)
    print(f"\n{tried} mutants, {tried - len(survivors)} killed, {len(survivors)} survive: "
          f"{100 * score:.1f} %")
    if args.log:
        write_log(args.seed, tried, survivors)
    return 0 if score >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
