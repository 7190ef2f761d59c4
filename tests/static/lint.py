#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the static checkers over the tree, and holds what they find to the list in docs/static.md.

Usage: lint.py [--build DIR] [--tree DIR] [--list FILE] [--tool NAME]... [FILE...]

A row of the list is "| `tool:check` | `files` | `text` | reason |": such a finding stays in these
files (a shell pattern) where its line has the text. The exit status is 1 if something was found that
is not in the list, or if a row of the list matches nothing any more or gives no reason. With FILE
only these are looked at, and unused rows are not told.

DIR is a build folder: its compile_commands.json says how each source is compiled.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys

FINDING = re.compile(r"(?P<file>[^:\s][^:]*):(?P<line>\d+):(?:\d+:)? "
                     r"(?P<kind>warning|error|style|performance|portability|information|note|info)"
                     r": (?P<text>.*)$")
ROW = re.compile(r"\| `(?P<check>[a-z-]+:[^`]*)` \| `(?P<files>[^`]+)` \| (?:`(?P<text>[^|]+)`)? ?"
                 r"\| (?P<reason>.*) \|$")
Finding = collections.namedtuple("Finding", "file line text check")


class Tree:
    """The sources, and how each is compiled."""

    def __init__(self, root, build):
        self.root = os.path.abspath(root)
        self.files = self.list_files()
        self.flags = read_flags(build)

    def list_files(self):
        if os.path.exists(os.path.join(self.root, ".git")):
            listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                                     "--exclude-standard"], cwd=self.root, check=True,
                                    stdout=subprocess.PIPE).stdout.decode().split("\0")
            names = [n for n in listed if n and os.path.isfile(os.path.join(self.root, n))]
        else:
            names = [os.path.relpath(os.path.join(folder, name), self.root)
                     for folder, _, inside in os.walk(self.root) for name in inside]
        return sorted(names)

    def lines(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as opened:
            return opened.read().splitlines()

    def sources(self):
        """What is compiled, and what is written like it."""
        return [name for name in self.files if name in self.flags]

    def shell(self):
        return [name for name in self.files if self.is_shell(name)]

    def is_shell(self, name):
        head = "\n".join(self.lines(name)[:1])
        return bool(re.match(r"#!.*sh$|# shellcheck [s]hell=", head))

    def python(self):
        return [name for name in self.files if name.endswith(".py")
                or re.match(r"#!.*python", "\n".join(self.lines(name)[:1]))]


def read_flags(build):
    """Of each source its -I, -D and -std, the folders named from the tree's root."""
    flags = {}
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as opened:
        database = json.load(opened)
    for entry in database:
        folder = entry["directory"]
        root = os.path.dirname(os.path.abspath(build))
        name = os.path.relpath(os.path.join(folder, entry["file"]), root)
        if not name.endswith(".c") or name in flags:
            continue
        flags[name] = []
        for word in shlex.split(entry["command"]):
            if word.startswith("-I"):
                path = os.path.relpath(os.path.join(folder, word[2:]), root)
                if not path.startswith(os.path.basename(build)):
                    flags[name].append("-I" + path)
            elif word.startswith(("-D", "-std=")):
                flags[name].append(word)
    return flags


def run(tree, command):
    done = subprocess.run(command, cwd=tree.root, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode("utf-8", "replace")


def each(tree, names, command):
    """The output of command(name) for each of the names, as many at once as there are cores."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return "\n".join(pool.map(lambda name: run(tree, command(name)), names))


def findings(tree, output, split):
    """Each finding in the output once; split(text) makes (text, check) of a message."""
    found = set()
    for line in output.splitlines():
        match = FINDING.match(line)
        if not match or match["kind"] == "note":
            continue
        name = os.path.relpath(os.path.join(tree.root, match["file"]), tree.root)
        text, check = split(match["text"])
        if check:
            found.add(Finding(name, int(match["line"]), text, check))
    return found


def in_brackets(text):
    match = re.match(r"(.*) \[([^][]+)\]$", text)
    return (match[1], match[2]) if match else (text, "error")


def is_product(name):
    return name.startswith(("src/", "examples/"))


def clang_tidy(tree, names):
    # The analyzer takes most of the time, and for a test a sanitizer finds as much.
    output = each(tree, names, lambda name: [
        "clang-tidy", "--quiet", *([] if is_product(name) else ["--checks=-clang-analyzer-*"]),
        name, "--", *tree.flags[name]])
    return findings(tree, output, in_brackets)


def cppcheck(tree, names):
    # It knows the attribute, but not C11's word for it.
    output = each(tree, names, lambda name: [
        "cppcheck", "--quiet", "--std=c11", "--enable=warning,style,performance,portability",
        "--inconclusive", "--library=posix", "--template={file}:{line}: warning: {message} [{id}]",
        "-D_Noreturn=__attribute__((noreturn))", *("--suppress=" + check for check in CPPCHECK_LEFT_OUT),
        *(flag for flag in tree.flags[name] if not flag.startswith("-std")), name])
    return findings(tree, output, in_brackets)


CPPCHECK_LEFT_OUT = ("clarifyCalculation", "funcArgNamesDifferent", "shadowFunction",
                     "unusedStructMember", "variableScope")


def gcc(tree, names):
    output = each(tree, names, lambda name: [
        "gcc", "-fanalyzer", "-O2", "-c", "-o", "/dev/null", name, *tree.flags[name]])
    return findings(tree, output, in_brackets)


def sparse(tree, names):
    told = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sparse.h")
    output = each(tree, names, lambda name: [
        "sparse", "-std=gnu11", "-Wcontext", "-D_GNU_SOURCE", "-D_Atomic(type)=type",
        "-include", told, name,
        *(flag for flag in tree.flags[name] if not flag.startswith("-std"))])
    found = findings(tree, output, lambda text: (
        text, "context" if text.startswith("context") else "type"))
    return {finding for finding in found if finding.file in tree.files}  # not the system's headers


def shellcheck(tree, names):
    output = run(tree, ["shellcheck", "--format=gcc", "--external-sources",
                        "--exclude=" + ",".join(SHELLCHECK_LEFT_OUT), *names])
    return findings(tree, output.replace(": note: ", ": info: "), in_brackets)


SHELLCHECK_LEFT_OUT = ("SC1090", "SC1091", "SC2016", "SC2317")


def pyflakes(tree, names):
    output = re.sub(r"(?m)^([^:]+:\d+:\d+:?) ", r"\1 warning: ", run(tree, ["pyflakes3", *names]))
    return findings(tree, output.replace(":: ", ": "), lambda text: (text, "python"))


# Of each its function, and what it looks at.
TOOLS = {
    "clang-tidy": (clang_tidy, Tree.sources),
    "cppcheck": (cppcheck, Tree.sources),
    "gcc": (gcc, lambda tree: [n for n in tree.sources() if is_product(n)]),
    "sparse": (sparse, lambda tree: [n for n in tree.sources() if n.startswith("src/")]),
    "shellcheck": (shellcheck, Tree.shell),
    "pyflakes": (pyflakes, Tree.python),
}


class Row:
    """A finding that stays."""

    def __init__(self, match):
        self.tool, self.check = match["check"].split(":", 1)
        self.files, self.text, self.reason = match["files"], match["text"] or "", match["reason"]
        self.used = 0

    def takes(self, tool, finding, line):
        if self.tool != tool or self.check not in finding.check.split(","):
            return False
        return fnmatch.fnmatch(finding.file, self.files) and self.text in line

    def __str__(self):
        return "%s:%s in %s" % (self.tool, self.check, self.files)


def read_list(name):
    with open(name, encoding="utf-8") as opened:
        lines = [line for line in opened if re.match(r"\| `[a-z-]+:", line)]
    for line in lines:
        if not ROW.match(line):
            sys.exit("%s: no row of the list: %s" % (name, line.rstrip()))
    return [Row(ROW.match(line)) for line in lines]


def look(tree, tool, names, rows):
    """Runs one tool; returns how many findings no row takes."""
    function, theirs = TOOLS[tool]
    chosen = [name for name in theirs(tree) if not names or name in names]
    bad = 0
    for finding in sorted(function(tree, chosen)) if chosen else []:
        lines = tree.lines(finding.file)
        line = lines[finding.line - 1] if finding.line <= len(lines) else ""
        takers = [row for row in rows if row.takes(tool, finding, line)]
        for row in takers:
            row.used += 1
        if not takers:
            print("%s:%d: %s [%s:%s]" % (finding.file, finding.line, finding.text, tool,
                                         finding.check))
            bad += 1
    return bad


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", default="build-asan")
    parser.add_argument("--tree", default=".")
    parser.add_argument("--list")
    parser.add_argument("--tool", action="append", choices=TOOLS)
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    tree = Tree(args.tree, args.build)
    rows = read_list(args.list or os.path.join(tree.root, "docs/static.md"))
    tools = args.tool or list(TOOLS)
    bad = sum(look(tree, tool, args.files, rows) for tool in tools)
    for row in rows:
        if len(row.reason.split()) < 3:
            print("%s: no reason is given" % row)
            bad += 1
        if row.tool not in TOOLS or row.tool in tools and not args.files and not row.used:
            print("%s: nothing matches this row any more" % row)
            bad += 1
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
