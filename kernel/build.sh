# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# ./x kernel build: KVM's modules for a packaged kernel, at each level of its patch series. Sourced
# by kernel/kernel.

# After kernel_resolve: sees to $K_DIR/source, what we need of the kernel's source.
build_source() {
	local tarball=./usr/src/linux-source-$K_NAME.tar.xz member members=()

	[ -d "$K_DIR/source" ] && return 0
	need_packages xz-utils
	for member in arch/x86/kvm arch/x86/include virt/kvm include/uapi include/linux \
		include/asm-generic scripts tools; do
		members+=("linux-source-$K_NAME/$member")
	done
	rm -rf "$K_DIR/source.part" && mkdir -p "$K_DIR/source.part"
	dpkg-deb --fsys-tarfile "$(kernel_fetch "linux-source-$K_NAME=$K_VERSION")" |
		tar xO "$tarball" | xz -dcT2 |
		tar x -C "$K_DIR/source.part" --strip-components=1 "${members[@]}"
	mv "$K_DIR/source.part" "$K_DIR/source"
}

# After kernel_resolve: sees to $K_DIR/headers and prints the folder to build modules in. The
# packages expect to be installed; here they are told where they are instead.
build_headers() {
	local usr=$K_DIR/headers/usr/src
	kernel_unpack "$K_DIR/headers" "linux-headers-$K_RELEASE=$K_VERSION" \
		"linux-headers-${K_RELEASE%-amd64}-common=$K_VERSION" "$K_KBUILD=$K_VERSION"
	echo "include $usr/linux-headers-${K_RELEASE%-amd64}-common/Makefile" \
		>"$usr/linux-headers-$K_RELEASE/Makefile"
	echo "$usr/linux-headers-$K_RELEASE"
}

# build_tree LEVEL [apicv]: makes $K_DIR/tree the source at that level, touching only files that
# differ, so that make has the rest compiled already.
build_tree() {
	local want=$K_DIR/tree.want patch file

	rm -rf "$want" && mkdir -p "$want/arch/x86" "$want/virt" "$K_DIR/tree"
	cp -r "$K_DIR/source/arch/x86/kvm" "$want/arch/x86/"
	cp -r "$K_DIR/source/virt/kvm" "$want/virt/"
	while read -r patch; do
		patch -d "$want" -p1 -s -F0 --no-backup-if-mismatch <"$patch"
	done < <(kernel_series "$K_NAME" | awk -v levels="$1" 'NR <= levels')
	if [ -n "${2-}" ]; then
		# For a test only, stock and patched alike: Bochs 3.0 takes a posted-interrupt
		# descriptor only at the start of a page.
		sed -i 's/struct pi_desc pi_desc;/struct pi_desc pi_desc __aligned(4096);/' \
			"$want/arch/x86/kvm/vmx/vmx.h"
		grep -q '__aligned(4096)' "$want/arch/x86/kvm/vmx/vmx.h" ||
			kernel_die "no pi_desc to align in linux $K_NAME"
	fi
	sed -i "s|\$(srctree)|$K_DIR/tree|g" "$want/arch/x86/kvm/Makefile" \
		"$want/virt/kvm/Makefile.kvm"
	(cd "$want" && find . -type f) | while read -r file; do
		if ! cmp -s "$want/$file" "$K_DIR/tree/$file"; then
			install -D -m 644 "$want/$file" "$K_DIR/tree/$file"
		fi
	done
	rm -rf "$want"
}

# build_level LEVEL [apicv]: builds one set of modules unless it is there.
build_level() {
	local level=$1 apicv=${2-} out module log=$K_DIR/build.log headers begun=$SECONDS

	out=$(kernel_modules "$@")
	[ -d "$out" ] && return 0
	need_packages gcc-12 make patch libelf1 binutils
	build_source
	headers=$(build_headers)
	build_tree "$@"
	if ! nice "$kernel_top/kernel/build-kvm" "$headers" "$K_DIR/tree" "-j$(nproc)" \
		>"$log" 2>&1 || grep -n 'warning:' "$log"; then
		tail -n 30 "$log" >&2
		kernel_die "linux $K_NAME, level $level, does not build; see $log"
	fi
	rm -rf "$out.part" && mkdir -p "$out.part"
	for module in kvm kvm-amd kvm-intel; do
		# The packaged kvm.ko and kvm-amd.ko are what stock means.
		[ "$level" -eq 0 ] && [ "$module" != kvm-intel ] && continue
		strip --strip-debug -o "$out.part/$module.ko" \
			"$K_DIR/tree/arch/x86/kvm/$module.ko"
	done
	mv "$out.part" "$out"
	echo "linux $K_RELEASE ($K_VERSION), level $level${apicv:+ for Bochs}: built in" \
		"$((SECONDS - begun)) s"
}

# build_kernel NAME [apicv]: all levels.
build_kernel() {
	kernel_resolve "$1"
	kernel_locked build _build_levels "$@" || exit 2
}

_build_levels() {
	local level levels
	levels=$(kernel_levels "$1")
	[ -z "${2-}" ] || build_level 0 apicv
	for ((level = 1; level <= levels; level++)); do
		build_level "$level"
		[ -z "${2-}" ] || build_level "$level" apicv
	done
	echo "linux $K_RELEASE ($K_VERSION): levels 1 to $levels are in $K_DIR/modules"
}

# dkms_package DIR: the DKMS package's folder.
dkms_package() {
	local version dir file name
	version=$(sed -n "s/^ *version: '\(.*\)',/\1/p" "$kernel_top/meson.build" | head -n 1)
	dir=$1/lapwing-kvm-$version
	rm -rf "$dir" && mkdir -p "$dir/patches"
	install -m 755 "$kernel_top/kernel/build-kvm" "$kernel_top/kernel/dkms/prepare" "$dir/"
	for file in dkms.conf lapwing-kvm; do
		sed "s/@VERSION@/$version/" "$kernel_top/kernel/dkms/$file" >"$dir/$file"
	done
	chmod 755 "$dir/lapwing-kvm"
	cp "$kernel_top/kernel/dkms/README.md" "$kernel_top/LICENSES/GPL-2.0-only.txt" \
		"$kernel_top/LICENSES/MIT.txt" "$dir/"
	for name in $(kernel_names); do
		[ "$(kernel_levels "$name")" -eq 0 ] || {
			mkdir "$dir/patches/linux-$name"
			kernel_series "$name" | xargs cp -t "$dir/patches/linux-$name"
		}
	done
	echo "$dir"
}

# dkms_test NAME: what DKMS would do on a host that runs this kernel, without touching this one.
dkms_test() {
	local work package version where tarball=linux-source-$1.tar.xz
	need_packages dkms gcc-12 make patch xz-utils kmod
	kernel_resolve "$1"
	kernel_image
	build_headers >/dev/null
	work=$(mktemp -d)
	package=$(dkms_package "$work/src")
	version=${package##*-}
	where=(-m lapwing-kvm -v "$version" --sourcetree "$work/src" --dkmstree "$work/tree")
	dpkg-deb --fsys-tarfile "$(kernel_fetch "linux-source-$1=$K_VERSION")" |
		tar xO "./usr/src/$tarball" >"$work/$tarball"
	mkdir "$work/tree"
	dkms add "${where[@]}" >"$work/log" 2>&1
	if ! LAPWING_LINUX_SOURCE=$work/$tarball LAPWING_LINUX_SOURCE_VERSION=$K_VERSION \
		dkms build "${where[@]}" -k "$K_RELEASE" --kernelsourcedir "$(build_headers)" \
		>>"$work/log" 2>&1; then
		cat "$work/log" "$work/tree/lapwing-kvm/$version/build/make.log" >&2 || true
		rm -rf "$work"
		kernel_die "DKMS cannot build for $K_RELEASE"
	fi
	echo "DKMS built for $K_RELEASE:"
	(cd "$work/tree" && find lapwing-kvm -name '*.ko*' | sed 's/^/  /')
	LAPWING_SOURCE=$kernel_top "$kernel_top/tests/nested/dkms.sh" "$1" \
		"$work/tree/lapwing-kvm/$version/$K_RELEASE/x86_64/module" || {
		rm -rf "$work"
		kernel_die "the modules that DKMS built for $K_RELEASE fail in the nested machine"
	}
	rm -rf "$work"
}
