# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# The machine with VMX and APICv: Bochs 3.0 of Debian 13, in a folder of its own because no Debian
# 12 has it. Sourced by tests/nested/nested, whose variables it uses.

# Sees to the folder and sets bochs to it.
bochs_root() {
	[ "$(id -u)" -eq 0 ] || kernel_die "--apicv runs Bochs in a chroot and needs root"
	bochs=$kernel_cache/bochs
	trixie_folder bochs bochs,bochs-term,bochsbios,vgabios
}

# Writes the CD that the machine boots, with the kernel and the initramfs of $work.
make_cd() {
	mkdir -p "$work/cd"
	cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/cd/"
	cp "$K_DIR/image/boot/vmlinuz-$K_RELEASE" "$work/cd/vmlinuz"
	cp "$work/initrd" "$work/cd/initrd"
	# The emulated clock runs by instructions: what calibrates against it would take for ever.
	cat >"$work/cd/isolinux.cfg" <<'CONFIG'
default linux
label linux
	kernel vmlinuz
	initrd initrd
	append console=ttyS0 quiet panic=-1 mitigations=off nokaslr audit=0 tsc=reliable lpj=1000000 no_timer_check hpet=disable
CONFIG
	xorriso -as mkisofs -quiet -o "$work/run/cd.iso" -b isolinux.bin -c boot.cat \
		-no-emul-boot -boot-load-size 4 -boot-info-table "$work/cd" 2>/dev/null
}

write_bochsrc() {
	cat >"$work/run/bochsrc" <<CONFIG
display_library: term
cpu: model=corei7_skylake_x, ips=50000000
clock: sync=none
memory: guest=$memory, host=$memory
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
ata0-master: type=cdrom, path=/run/lapwing/cd.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=/run/lapwing/console
com2: enabled=1, mode=file, dev=/run/lapwing/output
log: /run/lapwing/bochs.log
panic: action=fatal
error: action=report
CONFIG
	# The packaged Bochs has its debugger in, which waits for a word.
	echo c >"$work/run/commands"
}

# prepare_bochs: before the machine is started in the background.
prepare_bochs() {
	need_packages isolinux syslinux-common xorriso bsdutils >&2
	bochs_root
	mkdir -p "$work/run"
	ln "$work/console" "$work/output" "$work/run/"
	make_cd
	write_bochsrc
}

# Each machine has a mount namespace of its own, so that several can share the folder.
run_bochs() {
	exec unshare --mount --pid --fork --kill-child sh -c '
		mkdir -p "$1/run/lapwing" &&
		mount --bind "$2" "$1/run/lapwing" && mount -t proc proc "$1/proc" &&
		exec env TERM=linux script -qec \
			"chroot $1 bochs -q -f /run/lapwing/bochsrc -rc /run/lapwing/commands" \
			/dev/null' sh "$bochs" "$work/run"
}
