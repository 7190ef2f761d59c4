# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# need_packages PACKAGE...: see to it that these Debian packages are installed. Asks nothing.
# Without root and sudo it prints the command to run and exits 2.

_packages_run() {
	if [ "$(id -u)" -eq 0 ]; then
		env DEBIAN_FRONTEND=noninteractive "$@"
	else
		sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
	fi
}

_packages_install() {
	_packages_run apt-get install -y -q --no-install-recommends "$@" </dev/null >&2
}

need_packages() {
	local package missing=()

	if ! command -v dpkg-query >/dev/null; then
		echo "lapwing: this is no Debian system; please install: $*" >&2
		exit 2
	fi
	for package; do
		dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
			grep -q 'install ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
		echo "lapwing: packages are missing; please run:" >&2
		echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 2
	fi
	echo "Installing ${missing[*]}" >&2
	_packages_install "${missing[@]}" && return 0
	echo "Refreshing the package lists and trying again" >&2
	_packages_run apt-get update -q </dev/null >&2
	_packages_install "${missing[@]}" && return 0
	echo "lapwing: could not install ${missing[*]}" >&2
	exit 2
}
