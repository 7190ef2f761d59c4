# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Programs of Debian 13 on Debian 12, in folders of their own. Source kernel/kernels.sh first.

_trixie_unpack() {
	local folder=$1
	shift
	[ -d "$folder" ] && return 0
	need_packages mmdebstrap
	echo "Unpacking ${1%%,*} from Debian 13, once" >&2
	rm -rf "$folder.part"
	if ! mmdebstrap --quiet --variant=essential --include="$1" trixie "$folder.part" \
		>"$folder.log" 2>&1; then
		tail -n 5 "$folder.log" >&2
		kernel_die "could not unpack ${1%%,*} from Debian 13"
	fi
	mv "$folder.part" "$folder"
}

# trixie_folder NAME PACKAGE,...: sees to the folder .cache/NAME with these packages.
trixie_folder() {
	kernel_locked "$1" _trixie_unpack "$kernel_cache/$1" "$2" || exit 2
}

# trixie_run NAME PROGRAM ...: runs a program of that folder on this system's files.
trixie_run() {
	local folder=$kernel_cache/$1 program=$2
	local libraries=$folder/usr/lib
	shift 2
	"$folder/lib64/ld-linux-x86-64.so.2" --library-path "$libraries/x86_64-linux-gnu:$libraries" \
		"$folder/usr/bin/$program" "$@"
}
