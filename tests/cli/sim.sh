#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lapwing sim: what it refuses, what it prints, and its picture.
. "$LAPWING_SOURCE/tests/lib/tap.sh"

# refuses NAME REGEX ARGUMENT...: usage or environment; the reason is the first line.
refuses() {
	local name=$1 regex=$2
	shift 2
	check_exit "$name" 2 "$LAPWING" sim "$@"
	check_says "$name is told" err "$regex"
}

check_exit "--help" 0 "$LAPWING" sim --help
check_says "--help lists the scenarios" out '^  \* moved-in-service '
check_says "--help lists the policies" out '^Policies: static scan track-v4 track armed lazy$'
check_says "--help has the costs" out '--cost-exit C .*5800; in-kernel 2919'

refuses "an unknown scenario" "--scenario: 'x' is none of moved-in-service, .*, random" \
	--scenario coincidence,x
refuses "an empty scenario" "--scenario: '' is none of" --scenario coincidence,
refuses "an unknown policy" "--policy: 'y' is none of static, scan, .*, lazy" --policy y
refuses "half a name" "--policy: 'track-' is none of" --policy track-
refuses "a count of 0" "--count: 0 is not between 1 and" --count 0
refuses "a seed that is none" "--seed: '-1' is not a number" --seed -1
refuses "too few vCPUs" "--vcpus: moved-in-service takes 2 to 4096" --vcpus 1
refuses "too many vCPUs" "--vcpus: 4097 is not between 1 and 4096" --vcpus 4097
refuses "too few pins" "--pins: random takes 24 to 4096" --scenario random --pins 23
refuses "too many pins" "--pins: 4097 is not between 1 and 4096" --pins 4097
refuses "an unknown bitmap" "--bitmap: 'soft' is neither software nor hardware" --bitmap soft
refuses "an unknown irqchip" "--irqchip: 'on' is neither split nor in-kernel" --irqchip on
refuses "a cost that is none" "--cost-kick: '1.5' is not a number" --cost-kick 1.5
refuses "--all and names" "--all and --scenario exclude each other" --all --scenario wide

# All scenarios, small: those of many vCPUs take long under a sanitizer.
small=(--vcpus 8 --pins 64)
check_exit "the table" 0 "$LAPWING" sim "${small[@]}"
check_says "its title" out '^EOI policies: 1,000 repeats, seed 1, split .* 8 vCPUs, 64 pins$'
check_says "a scenario has a line" out '^coincidence: an MSI is in service'
check_says "superfluous exits stand out" out '^  scan .* ! 1,001 '
check_says "losses stand out" out '^  static … track .* !! 2 '
check_says "equal policies share a row" out '^  track-v4, track '
check_says "losses in words" out '^Lost \(!!\), .*: static .*; armed, lazy none\.$'
check_says "costs have their source" out '^Cycles: EOI exit 5,800 \(published\), kick 2,919 \(ass'
check "it fits a screen" awk '{ gsub(/…/, "."); if (length > 100) exit 1 } END { exit NR > 45 }' \
	"$tap_dir/out"
check "nothing on standard error" test ! -s "$tap_dir/err"
check_exit "all of them" 0 "$LAPWING" sim --all "${small[@]}"
check_says "others too, redundant exits with them" out '^multi-destination: '
check_exit "costs of one's own" 0 "$LAPWING" sim --scenario coincidence --policy scan \
	--cost-exit 1000 --cost-kick 0 --cost-scan 0
check_says "are taken" out "^  scan .* 1,000$"
check_says "and said to be given" out 'EOI exit 1,000 \(given\), kick 0 \(given\)'

cat >"$tap_dir/look.py" <<'PY'
import json, sys
runs = json.load(open(sys.argv[1]))
scenarios = sys.argv[2].split()
policies = ["static", "scan", "track-v4", "track", "armed", "lazy"]
assert [(r["scenario"], r["policy"]) for r in runs] == \
    [(s, p) for s in scenarios for p in policies]
words = {"scenario", "policy", "bitmap", "irqchip", "order"}
numbers = {"seed", "count", "vcpus", "pins", "interrupts", "necessary", "redundant", "superfluous",
           "elided", "lost", "doubled", "phantom", "kicks_reconfig", "kicks_arm",
           "routes_scanned", "reloads", "cost_exit", "cost_kick", "cost_scan"}
for r in runs:
    assert set(r) == words | numbers | {"cycles_per_interrupt"}, r
    assert all(type(r[n]) is int and r[n] >= 0 for n in numbers), r
    cycles = (r["necessary"] + r["redundant"] + r["superfluous"]) * r["cost_exit"] \
        + (r["kicks_reconfig"] + r["kicks_arm"]) * r["cost_kick"] \
        + r["routes_scanned"] * r["cost_scan"]
    assert abs(r["cycles_per_interrupt"] - cycles / r["interrupts"]) < 1e-6 * (1 + cycles), r
    assert r["seed"] == 1 and r["count"] == 1000 and r["bitmap"] == "software", r
PY
scenarios=$("$LAPWING" sim --help | sed -n '/^Scenarios/,/^$/s/^  [* ] \([a-z-]*\) .*/\1/p')
"$LAPWING" sim --json "${small[@]}" >"$tap_dir/json"
check "JSON has all scenarios and policies, and its figures agree" \
	python3 "$tap_dir/look.py" "$tap_dir/json" "$(echo $scenarios)"
"$LAPWING" sim --json "${small[@]}" >"$tap_dir/again"
check "the same seed gives the same bytes" cmp "$tap_dir/json" "$tap_dir/again"
"$LAPWING" sim --json "${small[@]}" --seed 2 --scenario random >"$tap_dir/seed2"
"$LAPWING" sim --json "${small[@]}" --seed 3 --scenario random >"$tap_dir/seed3"
sed -i '/"seed"/d' "$tap_dir/seed2" "$tap_dir/seed3"
check "another seed gives others" bash -c "! cmp -s '$tap_dir/seed2' '$tap_dir/seed3'"

json_to_full() {
	"$LAPWING" sim --json --scenario coincidence >/dev/full
}
check_exit "a full standard output" 2 json_to_full

# ---- the picture ----

mkdir "$tap_dir/none" "$tap_dir/fake" "$tap_dir/place"
one=(--scenario coincidence)
picture=$tap_dir/place/p.svg
nothing_left() {
	test -z "$(ls -A "$tap_dir/place")"
}
check_exit "no gnuplot" 2 env PATH="$tap_dir/none" "$LAPWING" sim "${one[@]}" --svg "$picture"
check_says "no gnuplot: the package is named" err "needs gnuplot; .* package gnuplot-nox"
check "in one line" test "$(wc -l <"$tap_dir/err")" -eq 1

# fake_gnuplot LINE...: one that has a version and then does this.
fake_gnuplot() {
	printf '#!/bin/sh\n[ "$1" = --version ] && exit 0\n%s\n' "$1" >"$tap_dir/fake/gnuplot"
	chmod +x "$tap_dir/fake/gnuplot"
}
with_fake() {
	env PATH="$tap_dir/fake:$PATH" "$LAPWING" sim "${one[@]}" --svg "$picture"
}
fake_gnuplot 'echo "no such terminal" >&2; exit 1'
check_exit "gnuplot fails" 2 with_fake
check_says "its message is passed on" err '^lapwing: gnuplot failed: no such terminal$'
check "nothing is left behind" nothing_left
fake_gnuplot 'echo "<svg>"'
check_exit "gnuplot stops half-way" 2 with_fake
check "half a picture is not left behind" nothing_left
fake_gnuplot 'kill -SEGV $$'
check_exit "gnuplot crashes" 2 with_fake
fake_gnuplot 'cat >/dev/null; echo "<svg></svg>"'
check_exit "a picture beside the table" 0 with_fake
check_says "the table is there too" out '^coincidence: '
check "the picture, and nothing beside it" test "$(ls -A "$tap_dir/place")" = p.svg
rm "$picture"
echo old >"$tap_dir/place/old"
ln -s old "$picture"
check_exit "a link is followed" 0 with_fake
check "to the file" grep -q '</svg>' "$tap_dir/place/old"
check "and stays a link" test -L "$picture"
refuses "a place that is not there" "--svg: cannot write .*: No such file" \
	"${one[@]}" --svg "$tap_dir/nowhere/p.svg"
refuses "a folder" "--svg: cannot write .*: Is a directory" "${one[@]}" --svg "$tap_dir"
refuses "a device" "--svg: cannot write /dev/null: not a regular file" "${one[@]}" --svg /dev/null
refuses "no name" "--svg: cannot write : No such file" "${one[@]}" --svg ''

name="a real picture is well-formed"
if ! command -v gnuplot >/dev/null; then
	skip "$name" "no gnuplot here"
	finish
fi
rm -f "$tap_dir"/place/*
check_exit "a real picture" 0 "$LAPWING" sim --all "${small[@]}" --svg "$picture"
check "$name" python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$picture"
check "it names every scenario" bash -c \
	"for s in $(echo $scenarios); do grep -q \">\$s<\" '$picture' || exit 1; done"
check "it says how to draw it again" grep -q 'lapwing sim --all --count 1000 --seed 1' "$picture"
check "nothing is left beside it" test "$(ls -A "$tap_dir/place")" = p.svg
check_exit "a picture without a bar" 0 "$LAPWING" sim "${one[@]}" --policy lazy --svg "$picture"
finish
