# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# ./x kernel verify: runs stock and patched KVM in nested machines and reports. Sourced by
# kernel/kernel; the judgement is kernel/report.py's.

verify_dir=$kernel_cache/verify
nested=$kernel_top/tests/nested/nested

# What runs in the machine, in this order. Every part tells its status.
verify_script() {
	cat <<'SCRIPT'
reuses=$1
echo "@kernel $(uname -r)"
for part in probe watch selftest; do
	case $part in
	probe) [ -f lapwing-static ] || continue; ./lapwing-static probe --json --count "$reuses" ;;
	watch) ./eoiwatch "$reuses" ;;
	selftest) [ -f ioapic_eoi_test ] || continue; ./ioapic_eoi_test ;;
	esac >out 2>&1
	echo "@$part $?"
	cat out
done
SCRIPT
}

# verify_run NAME LEVEL [apicv]: one machine, its output in $verify_dir.
verify_run() {
	local name=$1 level=$2 apicv=${3-} out options=() log
	out=$verify_dir/$name-$level${apicv:+-apicv}
	log=$out.log
	options=(--file "$verify_dir/eoiwatch" --file "$verify_dir/run" --quiet --time 900)
	if [ -n "$apicv" ]; then
		options+=(--apicv --patched="$level" --memory 512)
	else
		[ "$level" -eq 0 ] || options+=(--patched="$level")
		options+=(--file "$kernel_top/build/lapwing-static" --file "$selftest")
	fi
	if ! nice "$nested" "$name" "${options[@]}" -- sh ./run "$([ -n "$apicv" ] && echo 50 || echo 200)" \
		>"$out" 2>"$log"; then
		tail -n 5 "$log" >&2
		echo "kernel: linux $name, level $level${apicv:+, APICv}: no result" >&2
	fi
	[ -n "$apicv" ] || verify_stress "$name" "$level" "$out"
}

# The stress wants two CPUs, and a machine of its own: QEMU 7.2 emulating two is not up to a kernel
# that patches its own code while both run, as it does when tracing begins.
verify_stress() {
	local options=(--file "$verify_dir/eoistress" --quiet --cpus 2) try status
	[ "$2" -eq 0 ] || options+=(--patched="$2")
	for try in 1 2; do
		status=0
		nice "$nested" "$1" "${options[@]}" -- eoistress 5 >"$3.stress" \
			2>"$3.stress.log" || status=$?
		[ "$status" -eq 125 ] || break
		echo "kernel: the machine of linux $1, level $2, broke down in try $try" >&2
	done
	{
		echo "@stress $status"
		cat "$3.stress"
	} >>"$3"
}

# Starts a command when fewer than as many as there are CPUs are running.
verify_start() {
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
		wait -n || true
	done
	echo "  $((SECONDS - verify_begun)) s: linux $2, level $3${4:+, with APICv}" >&2
	"$@" &
}

# verify [--no-apicv] KERNEL...
verify() {
	local apicv=apicv name level levels versions=() selftest document=()
	local verify_begun=$SECONDS

	if [ "${1-}" = --no-apicv ]; then
		apicv=''
		shift
	fi
	need_packages python3 qemu-system-x86
	rm -rf "$verify_dir" && mkdir -p "$verify_dir"
	"$kernel_top/x" build >"$verify_dir/build.log" 2>&1 || {
		cat "$verify_dir/build.log" >&2
		kernel_die "the tool does not build"
	}
	"$kernel_top/tests/nested/watch/build" watch "$verify_dir/eoiwatch"
	"$kernel_top/tests/nested/watch/build" stress "$verify_dir/eoistress"
	verify_script >"$verify_dir/run"
	for name; do
		kernel_resolve "$name"
		kernel_image
		if [ -n "$apicv" ] && kernel_has_apicv "$name"; then
			build_kernel "$name" apicv
		else
			build_kernel "$name"
		fi
		selftest=$(selftest_build)
		versions+=("$name=$K_RELEASE=$K_VERSION")
		levels=$(kernel_levels "$name")
		kernel_series "$name" | sed 's|.*/[0-9]*-||; s|\.patch$||' \
			>"$verify_dir/$name.levels"
		for ((level = 0; level <= levels; level++)); do
			verify_start verify_run "$name" "$level"
		done
	done
	if [ -n "$apicv" ]; then
		prepare_apicv
		for name; do
			kernel_has_apicv "$name" || continue
			for ((level = 0; level <= $(kernel_levels "$name"); level++)); do
				verify_start verify_run "$name" "$level" apicv
			done
		done
	fi
	wait
	# The document has room for the whole only.
	[ -z "$apicv" ] || [ "$*" != "$(patched_kernels | xargs)" ] ||
		document=(--doc "$kernel_top/docs/kernels.md")
	"$kernel_top/kernel/report.py" ${document[@]+"${document[@]}"} \
		--seconds $((SECONDS - verify_begun)) "$verify_dir" "${versions[@]}"
}

# Before several machines want it at once.
prepare_apicv() {
	# shellcheck source=tests/nested/apicv.sh
	. "$kernel_top/tests/nested/apicv.sh"
	need_packages isolinux syslinux-common xorriso bsdutils
	bochs_root
}
