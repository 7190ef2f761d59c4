#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests that Meson knows and counts their cases.

Usage: run_tests.py [--quick] DIR:SUITE[:quick]...

cmocka 1.1.5 writes a skip as "not ok N # SKIP name", which Meson takes for a failure; hence a
counter of our own. A crash, a time-out, a plan that was not kept and a program that prints no TAP
are failures too. The last line is "N passed, N failed, N skipped".
"""
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time

LINE = re.compile(r"(not )?ok\b\s*(\d+)?\s*(?:- )?(.*)")
SKIP = re.compile(r"(?:^|\s)#\s*SKIP\b:?\s*(.*)", re.IGNORECASE)
PLAN = re.compile(r"1\.\.(\d+)\s*(?:#\s*SKIP\b:?\s*(.*))?$", re.IGNORECASE)
LONG = 5  # seconds, from which on they are told


class Result:
    """What one test program said."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.planned = None
        self.seconds = 0

    def cases(self):
        return self.passed + len(self.failed) + len(self.skipped)


def read_plan(result, match):
    result.planned = (result.planned or 0) + int(match.group(1))
    if match.group(1) == "0":
        result.skipped.append(("everything", match.group(2) or "no reason given"))
        result.planned += 1


def read_case(result, match, comment):
    negative, text = match.group(1), match.group(3)
    skip = SKIP.search(text)
    if skip:
        # cmocka: "not ok 2 # SKIP name", the reason in a comment of the case before it.
        if negative:
            result.skipped.append((skip.group(1), comment or "no reason given"))
        else:
            result.skipped.append((text[:skip.start()].strip(), skip.group(1) or "no reason given"))
    elif negative:
        result.failed.append(text)
    else:
        result.passed += 1


def parse_tap(text):
    result = Result()
    comment = ""
    for line in text.splitlines():
        plan = PLAN.match(line)
        case = LINE.match(line)
        if plan:
            read_plan(result, plan)
        elif case:
            read_case(result, case, comment)
            comment = ""
        elif line.startswith("#"):
            skip = SKIP.search(line)
            if skip:
                comment = skip.group(1)
    return result


def judge(result, status):
    """Adds the failures that no line of TAP tells."""
    if status is None:
        result.failed.append("timed out")
        return
    if status < 0:
        result.failed.append("killed by " + signal.Signals(-status).name)
        return
    if result.cases() == 0:
        result.failed.append("printed no TAP (exit status %d)" % status)
    elif result.planned is None:
        result.failed.append("printed no plan")
    elif result.planned != result.cases():
        result.failed.append("planned %d cases, ran %d" % (result.planned, result.cases()))
    elif status != 0 and not result.failed:
        result.failed.append("exit status %d though no case failed" % status)


def run_program(test, quick):
    env = dict(os.environ, **test["env"])
    env["CMOCKA_MESSAGE_OUTPUT"] = "TAP"
    env.pop("LAPWING_QUICK", None)
    if quick:
        env["LAPWING_QUICK"] = "1"
    begun = time.monotonic()
    process = subprocess.Popen(
        test["cmd"], env=env, cwd=test["workdir"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=test["timeout"] or None)
        status = process.returncode
    except subprocess.TimeoutExpired:
        # The whole session: a shell test's children would keep the pipe open.
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = None
    text = output.decode("utf-8", "replace")
    result = parse_tap(text)
    judge(result, status)
    result.seconds = time.monotonic() - begun
    return result, text


def say(label, test, result, text):
    skipped = ", %d skipped" % len(result.skipped) if result.skipped else ""
    verdict = "FAILED" if result.failed else "ok"
    took = ", %.0f s" % result.seconds if result.seconds >= LONG else ""
    print("%-6s %s %s (%d cases%s%s)" %
          (verdict, label, test["name"], result.cases(), skipped, took))
    for name, reason in result.skipped:
        print("       skipped: %s: %s" % (name, reason))
    for line in text.splitlines():
        if line.startswith("# NOTE "):
            print("       " + line[7:])
    if result.failed:
        for name in result.failed:
            print("       failed: " + name)
        print("\n".join("       | " + line for line in text.splitlines()))
    sys.stdout.flush()


def tests_of(build, suite):
    listed = subprocess.run(["meson", "introspect", "--tests", build], check=True,
                            stdout=subprocess.PIPE).stdout
    for test in json.loads(listed):
        suites = [name.split(":")[-1] for name in test["suite"]]
        if suite in suites:
            test["is_parallel"] = test.get("is_parallel", True) and "alone" not in suites
            yield test


def run_suite(spec, quick_all, totals):
    build, suite, *rest = spec.split(":")
    quick = quick_all or rest == ["quick"]
    tests = list(tests_of(build, suite))
    if not tests:
        print(f"FAILED {build} has no tests of suite {suite}", flush=True)
        totals[1] += 1

    def one(test):
        return (test, *run_program(test, quick))

    def account(done):
        test, result, text = done
        say(build, test, result, text)
        totals[0] += result.passed
        totals[1] += len(result.failed)
        totals[2] += len(result.skipped)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in pool.map(one, [t for t in tests if t["is_parallel"]]):
            account(done)
    for test in tests:
        if not test["is_parallel"]:
            account(one(test))


def main():
    arguments = sys.argv[1:]
    quick = "--quick" in arguments
    specs = [a for a in arguments if a != "--quick"]
    if not specs or any(a.startswith("-") for a in specs):
        sys.exit(__doc__)
    totals = [0, 0, 0]
    for spec in specs:
        run_suite(spec, quick, totals)
    failed = totals[1] > 0 or sum(totals) == totals[2]
    print("%d passed, %d failed, %d skipped" % tuple(totals))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
