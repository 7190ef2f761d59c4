#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The seed inputs of fuzz/: one text file for each harness, one input a line, in hexadecimal.

Usage: corpus.py unpack HARNESS FOLDER    a file for each input
       corpus.py pack HARNESS FOLDER      the other way: the largest few of a merged corpus
       corpus.py list                     the harnesses that have seeds
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent / "corpus"
HEADER = "# SPDX-License-Identifier: MIT\n"
LARGEST = 256
MOST = 40


def read(harness):
    path = HERE / f"{harness}.txt"
    if not path.exists():
        return []
    lines = path.read_text(encoding="ascii").splitlines()
    return [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]


def unpack(harness, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(read(harness)):
        (folder / f"seed-{number:03}").write_bytes(data)


def pack(harness, folder):
    """Of a merged corpus of libFuzzer's, in which no two show the same."""
    inputs = {path.read_bytes() for path in folder.iterdir() if path.is_file()}
    inputs = sorted((data for data in inputs if 0 < len(data) <= LARGEST), key=len, reverse=True)
    chosen = sorted(inputs[:MOST], key=lambda data: (len(data), data))
    HERE.mkdir(exist_ok=True)
    text = HEADER + "".join(data.hex() + "\n" for data in chosen)
    (HERE / f"{harness}.txt").write_text(text, encoding="ascii")
    print(f"{harness}: {len(chosen)} of {len(inputs)} inputs")


def main(args):
    if args[:1] == ["list"] and len(args) == 1:
        print("\n".join(sorted(path.stem for path in HERE.glob("*.txt"))))
    elif len(args) == 3 and args[0] == "unpack":
        unpack(args[1], pathlib.Path(args[2]))
    elif len(args) == 3 and args[0] == "pack":
        pack(args[1], pathlib.Path(args[2]))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
