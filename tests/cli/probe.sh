#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lapwing probe: what it refuses anywhere, and a real run where there is KVM.
. "$LAPWING_SOURCE/tests/lib/tap.sh"

check_exit "no KVM device" 2 "$LAPWING" probe --device "$tap_dir/none"
check_says "no KVM device is told" err "no KVM here: .*No such file"
check_exit "a device that is not KVM" 2 "$LAPWING" probe --device /dev/null
check_says "a device that is not KVM is told" err "/dev/null is not KVM"
check "in one line" test "$(wc -l <"$tap_dir/err")" -eq 1
check_exit "a count that is none" 2 "$LAPWING" probe --count ten
check_says "a count that is none is told" err "--count: 'ten' is not a number"
check_exit "a count out of range" 2 "$LAPWING" probe --count 1
check_says "a count out of range is told" err "--count: 1 is not between 2 and 1000000"

check_exit "a case that is none" 2 "$LAPWING" probe --ignore nothing
check_says "a case that is none is told" err "--ignore: 'nothing' is not moved-in-service"
check_exit "the control can't be ignored" 2 "$LAPWING" probe --ignore control

live='a real run within 5 s'
if ! [ -r /dev/kvm ] || ! [ -w /dev/kvm ]; then
	skip "$live" "no access to /dev/kvm"
	finish
fi

begun=$(date +%s%N)
status=0
"$LAPWING" probe --json >"$tap_dir/json" 2>"$tap_dir/err" || status=$?
took=$((($(date +%s%N) - begun) / 1000000))
note "lapwing probe --json took $took ms, exit status $status"
check "$live" test "$took" -lt 5000

cat >"$tap_dir/look.py" <<'PY'
import json, os, sys
text, status = sys.argv[1], int(sys.argv[2])
report = json.load(open(text))
assert report["kernel"] == os.uname().release and report["count"] == 200
order = ["clean", "cannot-tell", "stale", "loses-eoi"]
mine = report["through_lapwing"]
if mine["cases"]:
    assert mine["mode"] == "lapwing" and mine["verdict"] == "clean", mine
    assert all(case["eoi_arrived"] is not False for case in mine["cases"]), mine
    few = {case["case"]: case["superfluous"] for case in mine["cases"]}
    assert few["control"] == few["moved-in-service"] == few["vector-rewrite"] == 0, few
    assert few["coincidence"] <= 1, few
verdicts = []
for mode in report["modes"]:
    verdicts.append(mode["verdict"])
    names = [case["case"] for case in mode["cases"]]
    if not names:
        assert mode["reason"]
        continue
    assert set(names) == {"control", "moved-in-service", "coincidence", "vector-rewrite"}, names
    control = mode["cases"][0]
    assert control["case"] == "control" and control["verdict"] == "clean", control
    assert control["eoi_arrived"] is True, control
    for case in mode["cases"]:
        assert case["reuses"] == 200, case
        assert (case["eoi_arrived"] is None) == (case["case"] == "coincidence"), case
        assert case["verdict"] in order
        assert case["counted"] is (case["case"] not in sys.argv[3:]), case
    worst = max(order.index(case["verdict"]) for case in mode["cases"] if case["counted"])
    assert mode["verdict"] == order[worst], mode
affected = any(v in ("stale", "loses-eoi") for v in verdicts)
assert status == (1 if affected else 0 if "clean" in verdicts else 2), status
PY
check "the report is whole, its controls clean" \
	python3 "$tap_dir/look.py" "$tap_dir/json" "$status"
status_of_rest=0
"$LAPWING" probe --json --ignore vector-rewrite >"$tap_dir/rest" 2>/dev/null || status_of_rest=$?
check "a case that is ignored is shown, and enters no verdict" \
	python3 "$tap_dir/look.py" "$tap_dir/rest" "$status_of_rest" vector-rewrite
check "nothing on standard error" test ! -s "$tap_dir/err"

check_exit "the table for people, same verdict" "$status" "$LAPWING" probe --count 20
check_says "the table names the kernel" out "^KVM of Linux $(uname -r), .* 20 times"

json_to_full() {
	"$LAPWING" probe --json --count 2 >/dev/full
}
check "the last lines compare" sh -c "tail -1 '$tap_dir/out' | grep -q '^vector-rewrite '"

check_exit "a full standard output" 2 json_to_full
finish
