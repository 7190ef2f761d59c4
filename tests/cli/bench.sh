#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lapwing bench: what it refuses, what it prints, what it says it could not measure. What the
# figures may be, tests/house/figures.sh sees to.
. "$LAPWING_SOURCE/tests/lib/tap.sh"

# refuses NAME REGEX ARGUMENT...: usage or environment; the reason is the first line.
refuses() {
	local name=$1 regex=$2
	shift 2
	check_exit "$name" 2 "$LAPWING" bench "$@"
	check_says "$name is told" err "$regex"
}

check_exit "--help" 0 "$LAPWING" bench --help
check_says "--help lists the groups" out '^    affinity +an affinity change'
refuses "an unknown group" "--only: 'x' is none of edge, level, .*, kvm" --only edge,x
refuses "an empty group" "--only: '' is none of" --only edge,
refuses "a picture of what is left out" "--svg draws affinity changes, which" \
	--only edge --svg "$tap_dir/p.svg"

# Without valgrind, as on a host that has none.
mkdir "$tap_dir/none" "$tap_dir/fake"
bare() {
	env PATH="$tap_dir/none" "$LAPWING" bench "$@"
}
# Figures of this build may well miss a target.
settles() {
	local status=0
	"$@" >"$tap_dir/out" 2>"$tap_dir/err" || status=$?
	[ "$status" -lt 2 ]
}
check_exit "no gnuplot" 2 bare --svg "$tap_dir/p.svg"
check_says "no gnuplot is told" err "needs gnuplot; .* package gnuplot-nox"
check "it runs without valgrind" settles bare --only edge,level
check_says "and says so" out '^Instructions: not counted, valgrind is not installed$'
check_says "and has times" out '^edge MSI posted.* - +[0-9.,]+$'
check_says "what nothing is known of is not missed" out 'instructions of an edge MSI.* not told$'
check_says "sizes are always told" out 'bytes of a LAPIC .* met$'
check "nothing on standard error" test ! -s "$tap_dir/err"

# valgrind that fails: its last words are passed on, and it leaves nothing behind.
printf '#!/bin/sh\necho "no such tool" >&2\nexit 1\n' >"$tap_dir/fake/valgrind"
chmod +x "$tap_dir/fake/valgrind"
mkdir "$tap_dir/place"
broken() {
	env PATH="$tap_dir/fake:$PATH" TMPDIR="$tap_dir/place" "$LAPWING" bench --only edge
}
check "it runs with a valgrind that fails" settles broken
check_says "its last words are passed on" out 'not counted, valgrind failed: no such tool$'
check "nothing is left behind" test -z "$(ls -A "$tap_dir/place")"
printf '#!/bin/sh\nexit 0\n' >"$tap_dir/fake/valgrind"
check "it runs with a valgrind that counts nothing" settles broken
check_says "that is told" out 'not counted, callgrind did not find lw_bench_measured'
elsewhere() {
	env TMPDIR="$tap_dir/nowhere" "$LAPWING" bench --only edge
}
check_exit "no place for callgrind's files" 2 elsewhere
check_says "no place is told" err 'folder for callgrind.*: No such file'

check "it runs without KVM" settles bare --only kvm --device "$tap_dir/nokvm"
check_says "and says why" out '^KVM, split: not measured, no KVM here: .*No such file'
check_says "in both modes" out '^KVM, in-kernel: not measured, '
one_cpu() {
	taskset -c "$(sed -n 's/^Cpus_allowed_list:\t\([0-9]*\).*/\1/p' /proc/self/status)" \
		"$LAPWING" bench --only posters
}
check "two posters on one CPU" settles one_cpu
check_says "are not measured" out '^Two posters: not measured, this takes two CPUs$'
check_says "nor is their target told" out 'two posters to two vCPUs.* not told$'

cat >"$tap_dir/look.py" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
assert set(r) == {"version", "operations", "no_instructions", "kvm", "no_split", "no_in_kernel",
                  "posters", "no_posters", "machine", "targets", "scanned_pair"}, r
names = [o["operation"] for o in r["operations"]]
assert names == ["edge-lapic", "edge-lapic-eoi", "edge-chip", "level-pair", "level", "level"] + ["msi"] * 5, names
for o in r["operations"]:
    assert set(o) == {"operation", "policy", "vcpus", "routes", "targets", "instructions", "ns"}, o
    assert o["ns"] > 0 and o["instructions"] is None, o
    assert (o["policy"] is None) == (o["operation"] != "level"), o
assert [o["policy"] for o in r["operations"] if o["policy"]] == ["armed", "lazy"]
assert r["no_instructions"] == "valgrind is not installed" and r["posters"] is None
assert r["scanned_pair"] == {"instructions": None, "ns": None}
assert r["kvm"] == [] and r["machine"] is None
assert [(t["target"], t["verdict"]) for t in r["targets"]] == [
    ("edge-instructions", "untold"), ("level-instructions", "untold"), ("lapic-bytes", "met"),
    ("ioapic-bytes", "met")], r["targets"]
for t in r["targets"]:
    assert set(t) == {"target", "bound", "limit", "measured", "verdict"} and t["limit"] > 0, t
PY
check "JSON" settles bare --only edge,level,msi --json
check "is whole" python3 "$tap_dir/look.py" "$tap_dir/out"
json_to_full() {
	bare --only edge --json >/dev/full
}
check_exit "a full standard output" 2 json_to_full

mkdir "$tap_dir/fake2"
printf '#!/bin/sh\n[ "$1" = --version ] && exit 0\ncat >/dev/null; echo "<svg></svg>"\n' \
	>"$tap_dir/fake2/gnuplot"
chmod +x "$tap_dir/fake2/gnuplot"
drawn() {
	env PATH="$tap_dir/fake2:/usr/bin:/bin" "$LAPWING" bench --only affinity --svg "$@"
}
check_exit "a place that is not there" 2 drawn "$tap_dir/nowhere/p.svg"
check_says "that is told" err '--svg: cannot write .*: No such file'
check_exit "a folder" 2 drawn "$tap_dir"
check_says "that is told, too" err '--svg: cannot write .*: Is a directory'

live='KVM is measured where there is one'
if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
	check "$live" settles bare --only kvm
	check_says "in a table" out '^KVM_SET_GSI_ROUTING +4,096 +[0-9,.M -]+$'
else
	skip "$live" "no access to /dev/kvm"
fi
finish
