#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The load half of the DKMS package: in the nested machine, the patched modules take the place of
# the running ones and give it back.
# Usage: dkms.sh KERNEL [MODULES, a folder; those of ./x kernel build]
. "$LAPWING_SOURCE/tests/lib/tap.sh"
# shellcheck source=kernel/kernels.sh
. "$LAPWING_SOURCE/kernel/kernels.sh"
set +e
here=$LAPWING_SOURCE/tests/nested
kernel_resolve "$1"
modules=${2-$(kernel_modules "$(kernel_levels "$1")")}

said() {
	check "$1" grep -qE "^inside: $2" "$tap_dir/out"
}

if [ ! -d "$modules" ]; then
	skip "DKMS: load half on linux $1" "modules not built: ./x kernel build $1"
	finish
fi
need_packages gcc libc6-dev kmod binutils xz-utils
options=(--root9p --quiet --file "$here/dkms-inside" --file "$tap_dir/eoiwatch")
options+=(--file "$LAPWING_SOURCE/kernel/dkms/lapwing-kvm")
for module in "$modules"/*.ko*; do
	options+=(--file "$module")
done
check "watch compiles" "$here/watch/build" watch "$tap_dir/eoiwatch"
check_exit "the machine runs" 0 "$here/nested" "$1" "${options[@]}" -- \
	dkms-inside "$K_DIR/image"
said "not installed: load refuses" "load when not installed: lapwing-kvm: not installed"
said "in use: load refuses" "load while in use: lapwing-kvm: KVM is in use"
said "load" "load: KVM is the patched one now"
said "status after it" "status loaded: .*running: patched"
said "the patched KVM is clean" "patched: 0 of 20"
said "back" "back: KVM is the distribution's own"
said "status after it" "status back: .*running: the distribution's own"
check "the distribution's KVM does as before" test \
	"$(sed -n 's/^inside: stock: //p' "$tap_dir/out")" = \
	"$(sed -n 's/^inside: stock again: //p' "$tap_dir/out")"
finish
