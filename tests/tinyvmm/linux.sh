#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A stock Debian kernel on tinyvmm on a stock Debian kernel, in the nested machine: reads from the
# disk while its level-triggered interrupt moves between two vCPUs. Usage: linux.sh KERNEL
. "$LAPWING_SOURCE/tests/lib/tap.sh"
kernel=$1
tool=$LAPWING_SOURCE/build/lapwing-static
reads=200

if [ ! -x "$tool" ]; then
	skip "Linux on tinyvmm on linux $kernel" "no $tool: ./x build"
	finish
fi
check "the guest is made" "$LAPWING_SOURCE/tests/tinyvmm/guest" "$kernel" "$reads" "$tap_dir"
[ "$tap_failed" -eq 0 ] || finish

cat >"$tap_dir/look.py" <<'PY'
import json, sys
text = open(sys.argv[1]).read()
report = json.loads(text[text.rindex("\n{\n") + 1 if "\n{\n" in text else 0:])
count = report["counters"]
assert report["end"] == "power-off", report
assert count["disk_requests"] >= int(sys.argv[3]), count
if sys.argv[2] == "split":
    assert count["rte_writes"] >= 5 * count["commits"], count
if sys.argv[2] != "kernel":
    assert count["eoi_superfluous"] <= count.get("recommits", 0), count
    assert count["eoi_necessary"] >= count["disk_interrupts"], count
PY

# run_guest IRQCHIP
run_guest() {
	"$LAPWING_SOURCE/tests/nested/nested" "$kernel" --quiet --memory 1536 --cpus 2 --time 280 \
		--file "$tool" --file "$tap_dir/vmlinuz" --file "$tap_dir/initrd" -- \
		lapwing-static run --irqchip "$1" --cpus 2 --kernel vmlinuz --initrd initrd \
		--append "console=ttyS0 quiet panic=-1" --timeout 240 --json \
		>"$tap_dir/said" 2>"$tap_dir/err" </dev/null
}

for irqchip in kernel split user; do
	name="linux $kernel, irqchip $irqchip"
	run_guest "$irqchip"
	status=$?
	# Under QEMU's emulated SVM a guest dies so now and then, with no Lapwing in it as well:
	# docs/tinyvmm.md.
	if grep -q 'a triple fault' "$tap_dir/said"; then
		note "$name: a triple fault; trying once more"
		run_guest "$irqchip"
		status=$?
	fi
	sed 's/\r$//' "$tap_dir/said" >"$tap_dir/text"
	check "$name: powers off" test "$status" -eq 0
	check "$name: $reads reads" grep -q "^load: done: $reads reads, .* 2 CPUs" "$tap_dir/text"
	check "$name: the counters agree" \
		python3 "$tap_dir/look.py" "$tap_dir/text" "$irqchip" "$reads"
	[ "$status" -eq 0 ] || tail -n 20 "$tap_dir/text" "$tap_dir/err" | sed 's/^/# /'
done
finish
