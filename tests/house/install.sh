#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library as somebody who installs it finds it: pkg-config, both kinds, nothing shown but the
# public calls, from C, C++ and Rust; and the smallest example does what it says of itself.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
. "$LAPWING_SOURCE/tests/lib/declared.sh"
root=$tap_dir/root

# A release build of its own: the tests' one has sanitizers in it.
check "it installs" sh -c "meson setup '$tap_dir/build' '$LAPWING_SOURCE' -Dbuildtype=release \
	-Dstatic_tool=false -Dtests=false --prefix=/usr --libdir=lib &&
	DESTDIR='$root' meson install -C '$tap_dir/build' --quiet"

export PKG_CONFIG_LIBDIR=$root/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
export LD_LIBRARY_PATH=$root/usr/lib
flags() { pkg-config --cflags --libs lapwing; }
check "pkg-config finds it" flags
read -ra lapwing <<<"$(flags)"

sed -n 's/^ \*     \(.*\)/\1/p' "$LAPWING_SOURCE/examples/minimal.c" | grep -v '^cc ' >"$tap_dir/promised"
check "the example compiles as C" \
	gcc -std=c11 -Wall -Wextra -Werror "$LAPWING_SOURCE/examples/minimal.c" -o "$tap_dir/minimal" "${lapwing[@]}"
"$tap_dir/minimal" >"$tap_dir/said" 2>&1
check "the example prints what it promises" diff "$tap_dir/promised" "$tap_dir/said"
check "the example is shorter than 100 lines" test "$(wc -l <"$LAPWING_SOURCE/examples/minimal.c")" -lt 100

# shown LIBRARY
shown() {
	nm -D --defined-only "$root/usr/lib/$1.so.0" | awk '$2 == "T" { sub("@.*", "", $3); print $3 }' | sort -u
}
# compare LIBRARY HEADER...
compare() {
	local library=$1
	shift
	declared "$@" >"$tap_dir/declared"
	shown "$library" >"$tap_dir/shown"
	check "$library: each public call is a symbol" test -z "$(comm -23 "$tap_dir/declared" "$tap_dir/shown")"
	check "$library: nothing else is visible" test -z "$(comm -13 "$tap_dir/declared" "$tap_dir/shown")"
	comm -3 "$tap_dir/declared" "$tap_dir/shown" | sed 's/^/# /'
}
# What needs an operating system is a library of its own.
backends=("$LAPWING_SOURCE"/include/lapwing/kvm{,_user}.h)
mapfile -t chips < <(printf '%s\n' "$LAPWING_SOURCE"/include/lapwing/*.h |
	grep -vxF "$(printf '%s\n' "${backends[@]}")")
compare liblapwing "${chips[@]}"
compare liblapwing-kvm "${backends[@]}"

cat >"$tap_dir/call.cc" <<'CC'
#include <lapwing/lapwing.h>

int main()
{
	lw_msg msg{};
	if (lw_msi_decode(0xfee01000u, 0x41, 0, &msg) || msg.dest != 1 || msg.vector != 0x41)
		return 1;
	return lw_eoi_policy_by_name("lazy") == LW_EOI_LAZY ? 0 : 2;
}
CC
check "it compiles as C++" g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror "$tap_dir/call.cc" -o "$tap_dir/call" "${lapwing[@]}"
check "it answers C++" "$tap_dir/call"

# The structures of call.rs are the headers', member by member.
members() {
	sed -n "/^struct $1 {/,/^};/p" "$LAPWING_SOURCE/include/lapwing/lapic.h" |
		gcc -fpreprocessed -dD -E -P - | grep -oE '[a-z0-9_]+(, [a-z0-9_]+)*;|\(\*[a-z]+\)' |
		grep -oE '[a-z0-9_]+'
}
members_in_rust() {
	sed -n "/^struct $1 {/,/^}/s/^    \([a-z0-9_]*\):.*/\1/p" "$LAPWING_SOURCE/tests/house/call.rs"
}
same_members() { diff <(members "$1") <(members_in_rust "$2"); }
for pair in lw_lapic_ops:Ops lw_lapic_clock:Clock lw_lapic_config:Config; do
	check "struct ${pair%:*} is the same in Rust" same_members "${pair%:*}" "${pair#*:}"
done
if command -v rustc >/dev/null; then
	check "it links with Rust" rustc --edition 2021 -D warnings -L "$root/usr/lib" -l lapwing \
		"$LAPWING_SOURCE/tests/house/call.rs" -o "$tap_dir/rust"
	check "it answers Rust" "$tap_dir/rust"
else
	skip "it links with Rust" "rustc is not installed"
	skip "it answers Rust" "rustc is not installed"
fi

cat >"$tap_dir/split.c" <<'C'
#include <lapwing/kvm.h>

int main(void)
{
	struct lw_split_config config = {.vm_fd = -1, .nvcpus = 2, .pins = 24, .version = 0x11};
	size_t size = lw_split_size(&config);

	config.nvcpus = 0;
	return size && !lw_split_size(&config) ? 0 : 1;
}
C
read -ra backend <<<"$(pkg-config --cflags --libs lapwing-kvm)"
check "a VMM links the backend on KVM" \
	gcc -std=c11 -Wall -Wextra -Werror "$tap_dir/split.c" -o "$tap_dir/split" "${backend[@]}"
check "and calls it" "$tap_dir/split"
read -ra backend <<<"$(pkg-config --static --cflags --libs lapwing-kvm)"
check "it links statically too" \
	gcc -static "$tap_dir/split.c" -o "$tap_dir/split-static" "${backend[@]}"
finish
