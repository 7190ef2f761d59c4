#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare the SYNOPSIS of the pages of section 3 with the public headers.

prototypes.py           name each call that has no page, and each .Fn that is not the header's
prototypes.py HEADER    print HEADER's calls as a SYNOPSIS has them
"""
import glob
import os
import re
import subprocess
import sys

CALL = re.compile(r"(?:^|;|}|{)\s*([a-z][a-z0-9_ ]*?[ *]+)(lw_[a-z0-9_]+)\(((?:[^;{}])*)\)(?=;)")


def arguments(text):
    """Split at the commas that no parenthesis encloses."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [" ".join(part.split()) for part in parts]


def calls(header):
    """The header's functions in order: name -> its two lines."""
    text = subprocess.run(
        ["gcc", "-fpreprocessed", "-dD", "-E", "-P", header], capture_output=True, text=True, check=True
    ).stdout
    text = " ".join(re.sub(r"(?m)^#.*$|extern \"C\" \{", "", text).split())
    text = re.sub(r"(struct|enum) lw_\w+ \{(?:[^{}]|\{[^{}]*\})*\};", "", text)
    found = {}
    for kind, name, args in CALL.findall(text):
        quoted = " ".join('"' + a + '"' if " " in a else a for a in arguments(args))
        found[name] = f".Ft {' '.join(kind.split())}\n.Fn {name} {quoted}"
    return found


def main():
    if len(sys.argv) > 1:
        print("\n".join(calls(sys.argv[1]).values()))
        return
    whole = open("include/lapwing/lapwing.h").read()
    pages = "\n".join(open(page).read() for page in sorted(glob.glob("man/*.3")))
    headers = ["include/" + name for name in re.findall(r"#include <(lapwing/\w+\.h)>", whole)]
    for header in headers:
        for name, lines in calls(header).items():
            if lines + "\n" not in pages:
                print(f"{os.path.basename(header)}: no page has\n{lines}")


main()
