# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# Builds the selftest of a series, the way the kernel's own Makefile does. Sourced by kernel/kernel.

# selftest_patch NAME: the patch that brings it.
selftest_patch() {
	grep -l '^+++ b/tools/testing/selftests/kvm/' "$kernel_top/kernel/linux-$1"/*.patch
}

# _headers_into DIR TREE FOLDER: the user's view of a folder of headers.
_headers_into() {
	local file
	(cd "$2/$3" && find . -name '*.h' -printf '%P\n') | while read -r file; do
		mkdir -p "$1/$(dirname "$file")"
		(cd "$2" && sh "$K_DIR/source/scripts/headers_install.sh" "$3/$file" "$1/$file")
	done
}

# After kernel_resolve: what `make headers_install` would leave.
selftest_headers() {
	local usr=$K_DIR/headers/usr/src common own
	common=$usr/linux-headers-${K_RELEASE%-amd64}-common
	own=$usr/linux-headers-$K_RELEASE

	[ -d "$K_DIR/uapi" ] && return 0
	build_headers >/dev/null
	[ -x "$common/scripts/unifdef" ] ||
		gcc -O1 -o "$common/scripts/unifdef" "$K_DIR/source/scripts/unifdef.c"
	rm -rf "$K_DIR/uapi.part" && mkdir -p "$K_DIR/uapi.part"
	_headers_into "$K_DIR/uapi.part" "$common" include/uapi
	_headers_into "$K_DIR/uapi.part" "$common" arch/x86/include/uapi
	_headers_into "$K_DIR/uapi.part" "$own" arch/x86/include/generated/uapi
	_headers_into "$K_DIR/uapi.part" "$own" include/generated/uapi
	mv "$K_DIR/uapi.part" "$K_DIR/uapi"
}

# After kernel_resolve: sees to the selftest, statically linked, and prints its path.
selftest_build() {
	local patch out tree log=$K_DIR/selftest.log

	patch=$(selftest_patch "$K_NAME")
	out=$K_DIR/selftest-$(sha256sum "$patch" | cut -c1-12)
	if [ ! -x "$out/ioapic_eoi_test" ]; then
		need_packages gcc libc6-dev make patch >&2
		build_source >&2
		selftest_headers
		tree=$K_DIR/selftest.tree
		rm -rf "$tree" && mkdir -p "$tree" "$out/x86_64"
		cp -r "$K_DIR/source/tools" "$K_DIR/source/scripts" "$tree/"
		patch -d "$tree" -p1 -s -F0 <"$patch"
		if ! make -C "$tree/tools/testing/selftests/kvm" OUTPUT="$out" ARCH=x86 \
			"-j$(nproc)" EXTRA_CFLAGS="-I$K_DIR/uapi" \
			KHDR_INCLUDES="-isystem $K_DIR/uapi" LDFLAGS=-static \
			"$out/x86_64/ioapic_eoi_test" >"$log" 2>&1; then
			tail -n 20 "$log" >&2
			kernel_die "the selftest of linux $K_NAME does not build; see $log"
		fi
		rm -rf "$tree"
		mv "$out/x86_64/ioapic_eoi_test" "$out/"
	fi
	echo "$out/ioapic_eoi_test"
}
