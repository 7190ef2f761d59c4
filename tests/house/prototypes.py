#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare the SYNOPSIS of the pages of section 3 with the public headers.

prototypes.py           name each call that no page has as the header has it
prototypes.py PAGE...   write NAME and SYNOPSIS of these pages anew from the headers they name
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


def rewrite(page):
    """NAME and SYNOPSIS; all else stays."""
    text = open(page).read()
    headers = re.findall(r"(?m)^\.In (lapwing/\w+\.h)$", text.split(".Sh DESCRIPTION")[0])
    found = {header: calls("include/" + header) for header in headers}
    names = " ,\n".join(f".Nm {name}" for header in headers for name in found[header])
    synopsis = "".join(f".In {h}\n" + "".join(c + "\n" for c in found[h].values()) for h in headers)
    text = re.sub(r"(?s)(?<=\.Sh NAME\n).*?(?=\n\.Nd )", lambda _: names, text, count=1)
    text = re.sub(
        r"(?s)(?<=\.Sh SYNOPSIS\n).*?(?=\.Sh DESCRIPTION)", lambda _: synopsis, text, count=1
    )
    open(page, "w").write(text)


def main():
    if len(sys.argv) > 1:
        for page in sys.argv[1:]:
            rewrite(page)
        return
    whole = open("include/lapwing/lapwing.h").read()
    pages = "\n".join(open(page).read() for page in sorted(glob.glob("man/*.3")))
    headers = re.findall(r"#include <(lapwing/\w+\.h)>", whole)
    headers += re.findall(r"(?m)^\.In (lapwing/\w+\.h)$", pages)
    for header in sorted({"include/" + name for name in headers}):
        for name, lines in calls(header).items():
            if lines + "\n" not in pages:
                print(f"{os.path.basename(header)}: no page has\n{lines}")


main()
