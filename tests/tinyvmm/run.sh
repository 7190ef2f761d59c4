#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lapwing run: what it refuses anywhere, and the test image where there is KVM.
# Usage: run.sh IMAGE32 IMAGE64
. "$LAPWING_SOURCE/tests/lib/tap.sh"
image32=$1 image64=$2

check_exit "no kernel" 2 "$LAPWING" run
check_says "no kernel is told" err "--kernel FILE is wanted"
for count in 0 5000 x ''; do
	check_exit "'$count' vCPUs" 2 "$LAPWING" run --kernel "$image64" --cpus "$count"
	check_says "'$count' vCPUs are told" err "--cpus: '$count' is not a number from 1 to 4096"
done
check_exit "no memory" 2 "$LAPWING" run --kernel "$image64" --memory 1
check_says "no memory is told" err "--memory: '1' is not a number from 2 to 1048576"
check_exit "an irqchip that is none" 2 "$LAPWING" run --kernel "$image64" --irqchip none
check_says "an irqchip that is none is told" err "--irqchip: 'none' is not known"
check_exit "commits of an irqchip that has none" 2 "$LAPWING" run --kernel "$image64" \
	--irqchip user --immediate
check_says "that is told" err "--immediate: only with --irqchip split"
check_exit "a policy for KVM's own irqchip" 2 "$LAPWING" run --kernel "$image64" --policy armed
check_says "that is told, too" err "--policy: only with --irqchip user"
check_exit "no KVM device" 2 "$LAPWING" run --kernel "$image64" --device "$tap_dir/none"
check_says "no KVM device is told" err "no KVM here: .*/none: No such file"
check_exit "a device that is not KVM" 2 "$LAPWING" run --kernel "$image64" --device /dev/null
check_says "a device that is not KVM is told" err "/dev/null is not KVM"
check "in one line" test "$(wc -l <"$tap_dir/err")" -eq 1

if ! [ -r /dev/kvm ] || ! [ -w /dev/kvm ]; then
	skip "what needs KVM" "no access to /dev/kvm"
	finish
fi

check_exit "no kernel file" 2 "$LAPWING" run --kernel "$tap_dir/none"
check_says "no kernel file is told" err "cannot open the kernel .*/none: No such file"
: >"$tap_dir/empty"
check_exit "an empty kernel" 2 "$LAPWING" run --kernel "$tap_dir/empty"
check_says "an empty kernel is told" err "/empty is empty"
head -c 100000 /dev/zero >"$tap_dir/zeroes"
check_exit "not a kernel" 2 "$LAPWING" run --kernel "$tap_dir/zeroes"
check_says "not a kernel is told" err "neither a Linux bzImage nor a multiboot image"
check_exit "a program" 2 "$LAPWING" run --kernel /bin/sh
check_says "a program is told" err "ELF image without a multiboot header"
head -c 6000 "$image32" >"$tap_dir/cut"
check_exit "an image that is cut short" 2 "$LAPWING" run --kernel "$tap_dir/cut"
check_says "an image that is cut short is told" err "cut short"
check_exit "an image that does not fit" 2 "$LAPWING" run --kernel "$image64" --memory 2
check_says "an image that does not fit is told" err "does not fit into 2 MiB"

# A bzImage's header, and nothing behind it that could run: enough to be refused.
python3 - "$tap_dir" <<'PY'
import struct, sys
image = bytearray(40000)
image[0x1f1] = 1
struct.pack_into("<H", image, 0x1fe, 0xaa55)
struct.pack_into("<4sH", image, 0x202, b"HdrS", 0x20f)
struct.pack_into("<I", image, 0x22c, 0x7fffffff)  # initrd_addr_max
struct.pack_into("<H", image, 0x236, 1)           # xloadflags: a 64-bit entry point
struct.pack_into("<I", image, 0x238, 255)         # cmdline_size
struct.pack_into("<Q", image, 0x258, 0x1000000)   # pref_address
struct.pack_into("<I", image, 0x260, 0x100000)    # init_size
open(sys.argv[1] + "/linux", "wb").write(image)
struct.pack_into("<H", image, 0x236, 0)
open(sys.argv[1] + "/linux32", "wb").write(image)
PY
head -c 20000000 /dev/zero >"$tap_dir/initrd"
check_exit "an initramfs too large" 2 "$LAPWING" run --kernel "$tap_dir/linux" \
	--initrd "$tap_dir/initrd" --memory 32
check_says "an initramfs too large is told" err "an initramfs of 19 MiB does not fit into 32 MiB"
check_exit "no initramfs" 2 "$LAPWING" run --kernel "$tap_dir/linux" --initrd "$tap_dir/none"
check_says "no initramfs is told" err "cannot open the initramfs"
check_exit "a kernel too large" 2 "$LAPWING" run --kernel "$tap_dir/linux" --memory 16
check_says "a kernel too large is told" err "linux does not fit into 16 MiB: it needs 18"
check_exit "a kernel without a 64-bit entry" 2 "$LAPWING" run --kernel "$tap_dir/linux32"
check_says "a kernel without a 64-bit entry is told" err "without a 64-bit entry point"
check_exit "a command line too long" 2 "$LAPWING" run --kernel "$tap_dir/linux" \
	--append "$(head -c 300 /dev/zero | tr '\0' x)"
check_says "a command line too long is told" err "longer than the 255 bytes"
few_files() {
	(ulimit -n 12 && exec "$LAPWING" run --kernel "$image64" --irqchip kernel --cpus 64)
}
check_exit "a vCPU that can't be made" 2 few_files
check_says "a vCPU that can't be made is told" err "cannot create vCPU [1-9][0-9]* of 64"

for irqchip in kernel split user; do
	for image in "$image32" "$image64"; do
		name="${image##*/}, irqchip $irqchip"
		check_exit "$name: its exit status" 43 "$LAPWING" run --kernel "$image" \
			--irqchip "$irqchip" --append "one two exit=21" --timeout 30 --json
		check_says "$name: its command line" out "^$image one two exit=21$"
		check_says "$name: how it ended" out '"end": "exit-port"'
	done
done
interrupts=$(($(wc -c <<<"$image64 exit=3") + 1))
"$LAPWING" run --kernel "$image64" --irqchip user --append "exit=3" --json >"$tap_dir/out"
check_says "each level interrupt's EOI was necessary" out "\"eoi_necessary\": $interrupts,"
check_says "and none superfluous" out '"eoi_superfluous": 0'
"$LAPWING" run --kernel "$image64" --irqchip user --policy lazy --append "exit=3" --json \
	>"$tap_dir/out"
check_says "lazy: the line falls before each EOI, so that none matters" out '"eoi_necessary": 0,'
check_says "lazy: as many interrupts" out "\"injected\": $interrupts,"
"$LAPWING" run --kernel "$image64" --irqchip split --append "exit=3" --json >"$tap_dir/out"
check_says "split: each of them left the guest" out "\"eoi_necessary\": $interrupts,"
check_says "split: none for nothing" out '"eoi_superfluous": 0'
check_says "split: one commit for two halves" out '"commits": 1,'
"$LAPWING" run --kernel "$image64" --irqchip split --immediate --append "exit=3" --json \
	>"$tap_dir/out"
check_says "split, immediate: each half is a commit" out '"commits": 2,'

check_exit "an image that does not end" 2 "$LAPWING" run --kernel "$image64" --timeout 1 \
	--irqchip user --append "exit=no" --disk "$tap_dir/none"
check_says "no disk is told" err "cannot open the disk"
finish
