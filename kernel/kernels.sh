# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# The Debian kernels we know, and how to bring their packages here. Sourced by kernel/kernel and by
# tests/nested/nested. Nothing is installed: packages are downloaded to .cache/packages and
# unpacked below .cache/kernel.

# Adding a kernel is one line here, and a folder kernel/linux-NAME if it is to be patched.
#
# name   image packages look like                           headers' build tools  APICv runs
kernel_table() {
	cat <<'TABLE'
6.1      ^linux-image-6\.1\.[0-9][-+.~0-9a-z]*-amd64$    linux-kbuild-6.1      no
6.12     ^linux-image-6\.12\.[0-9][-+.~0-9a-z]*-amd64$   linux-kbuild-%        yes
TABLE
}

kernel_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kernel_cache=${LAPWING_CACHE:-$kernel_top/.cache}
# shellcheck source=scripts/packages.sh
. "$kernel_top/scripts/packages.sh"

kernel_die() {
	echo "${0##*/}: $*" >&2
	exit 2
}

# kernel_locked NAME COMMAND...: one process at a time, in a subshell.
kernel_locked() {
	local lock=$kernel_cache/$1.lock
	shift
	mkdir -p "$kernel_cache"
	(
		flock 9
		"$@"
	) 9>"$lock"
}

kernel_names() {
	kernel_table | awk '{print $1}'
}

# kernel_has_apicv NAME: does it run under ./x nested --apicv? Before 6.11 KVM cannot map a guest's
# memory beforehand, and Bochs 3.0 forgets interrupts whose delivery finds it unmapped.
kernel_has_apicv() {
	[ "$(kernel_table | awk -v n="$1" '$1 == n {print $4}')" = yes ]
}

# kernel_version PACKAGE: the version the archive has now.
kernel_version() {
	apt-cache policy "$1" | awk '$1 == "Candidate:" && $2 != "(none)" {print $2}'
}

# Asks apt which packages the kernel $1 is made of today; an answer is good for half a day.
_kernel_ask_apt() {
	local name=$1 pattern kbuild image version release

	read -r _ pattern kbuild _ < <(kernel_table | awk -v n="$name" '$1 == n')
	version=$(kernel_version "linux-source-$name")
	[ -n "$version" ] || return 1
	image=$(apt-cache search --names-only "$pattern" | awk '{print $1}' |
		grep -vE -- '-(rt|cloud)-amd64$' | while read -r image; do
		[ "$(kernel_version "$image")" = "$version" ] && echo "$image"
	done | sort -V | tail -n 1)
	[ -n "$image" ] || return 1
	release=${image#linux-image-}
	printf 'K_VERSION=%q\nK_RELEASE=%q\nK_KBUILD=%q\n' "$version" "$release" \
		"${kbuild/\%/${release%-amd64}}"
}

_kernel_refresh() {
	local answer=$kernel_cache/kernel/$1.packages
	mkdir -p "$kernel_cache/kernel" "$kernel_cache/packages"
	[ -z "$(find "$answer" -mmin -720 2>/dev/null)" ] || return 0
	command -v apt-get >/dev/null || kernel_die "apt-get is needed to fetch kernels"
	if ! _kernel_ask_apt "$1" >"$answer.new"; then
		_packages_run apt-get update -q >&2 </dev/null || true
		_kernel_ask_apt "$1" >"$answer.new" ||
			kernel_die "the archive set up here has no linux $1 with its source"
	fi
	mv "$answer.new" "$answer"
}

# kernel_resolve NAME: sets K_NAME, K_VERSION (of the packages), K_RELEASE (uname -r), K_KBUILD and
# K_DIR, this version's folder in the cache.
kernel_resolve() {
	if ! kernel_names | grep -qxF -- "$1"; then
		kernel_die "kernel '$1' is not in the table; there are: $(kernel_names | xargs)"
	fi
	kernel_locked resolve _kernel_refresh "$1" || exit 2
	K_NAME=$1
	# shellcheck source=/dev/null
	. "$kernel_cache/kernel/$1.packages"
	K_DIR=$kernel_cache/kernel/$K_NAME/$K_VERSION
	mkdir -p "$K_DIR"
}

# kernel_fetch PACKAGE[=VERSION]...: prints the path of each package's file, downloaded if need be.
kernel_fetch() {
	local package version file

	for package; do
		version=${package#*=}
		package=${package%%=*}
		[ "$version" = "$package" ] && version=$(kernel_version "$package")
		file=$(find "$kernel_cache/packages" -name "${package}_${version//:/%3a}_*.deb" -print -quit)
		if [ -z "$file" ]; then
			echo "Downloading $package $version" >&2
			(cd "$kernel_cache/packages" &&
				apt-get download -q "$package=$version" >fetch.log 2>&1) || {
				cat "$kernel_cache/packages/fetch.log" >&2
				kernel_die "could not download $package $version"
			}
			file=$(find "$kernel_cache/packages" -name "${package}_${version//:/%3a}_*.deb" \
				-print -quit)
		fi
		echo "$file"
	done
}

# kernel_unpack DIR PACKAGE[=VERSION]...: unpacks into DIR, once.
kernel_unpack() {
	local dir=$1 file
	shift
	[ -d "$dir" ] && return 0
	rm -rf "$dir.part" && mkdir -p "$dir.part"
	for file in $(kernel_fetch "$@"); do
		dpkg-deb -x "$file" "$dir.part"
	done
	mv "$dir.part" "$dir"
}

_kernel_unpack_image() {
	[ -d "$K_DIR/image" ] && return 0
	rm -rf "$K_DIR/image.raw"
	kernel_unpack "$K_DIR/image.raw" "linux-image-$K_RELEASE=$K_VERSION"
	depmod -b "$K_DIR/image.raw" "$K_RELEASE"
	mv "$K_DIR/image.raw" "$K_DIR/image"
}

# kernel_image: after kernel_resolve; sees to $K_DIR/image, the packaged kernel and its modules.
kernel_image() {
	[ -d "$K_DIR/image" ] && return 0
	need_packages kmod xz-utils
	kernel_locked image _kernel_unpack_image || exit 2
}

# kernel_series NAME: the patches of a kernel that touch its modules, in order.
kernel_series() {
	local patch
	for patch in "$kernel_top/kernel/linux-$1"/*.patch; do
		[ -f "$patch" ] && grep -q '^+++ b/arch/x86/kvm/' "$patch" && echo "$patch"
	done
	return 0
}

kernel_levels() {
	kernel_series "$1" | wc -l
}

# kernel_modules LEVEL [apicv]: after kernel_resolve; prints the folder where the modules with the
# first LEVEL patches are, or would be once built.  It changes with the content of the patches.
kernel_modules() {
	local key
	key=$( (kernel_series "$K_NAME" | awk -v levels="$1" 'NR <= levels' |
		xargs -r cat) | sha256sum | cut -c1-12)
	echo "$K_DIR/modules/${2:+$2-}$1-$key"
}
