/* SPDX-License-Identifier: MIT */
/*
 * Loads a Linux kernel as Linux's x86 boot protocol says (2.06 to 2.15), and starts it at its
 * 64-bit entry point, so that no code runs without paging: some hosts can't.
 */
#include "vmm.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_AT    0x1f1u
#define MAGIC        0x53726448u /* "HdrS" */
#define BOOT_FLAG    0xaa55
#define PROTOCOL     0x020c /* the first with a 64-bit entry point */
#define ENTRY_64     0x200u
#define ZERO_PAGE    0x7000u
#define COMMAND_LINE 0x20000u
#define PAGE         4096u

static int check_header(struct tv *vm, const uint8_t *image, size_t size, struct setup_header *hdr)
{
	if (size < HEADER_AT + sizeof(*hdr))
		return -ENOEXEC;
	memcpy(hdr, image + HEADER_AT, sizeof(*hdr));
	if (hdr->boot_flag != BOOT_FLAG || hdr->header != MAGIC)
		return -ENOEXEC;
	if (hdr->version < PROTOCOL || !(hdr->xloadflags & XLF_KERNEL_64))
		return tv_error(vm, -EPROTO, "%s: a Linux kernel without a 64-bit entry point",
				vm->options.kernel);
	return 0;
}

static int load_kernel(struct tv *vm, const uint8_t *image, size_t size,
		       const struct setup_header *hdr)
{
	size_t setup = (size_t)((hdr->setup_sects ? hdr->setup_sects : 4) + 1) * 512;
	uint64_t needed = hdr->init_size;
	uint8_t *to;

	if (setup >= size)
		return tv_error(vm, -EPROTO, "%s: the kernel is cut short", vm->options.kernel);
	if (needed < size - setup)
		needed = size - setup;
	to = hdr->pref_address + needed <= vm->ram_low ? tv_memory(vm, hdr->pref_address, needed)
						       : NULL;
	if (!to)
		return tv_error(vm, -EPROTO, "%s does not fit into %u MiB: it needs %u",
				vm->options.kernel, (unsigned)(vm->options.memory >> 20),
				(unsigned)((hdr->pref_address + needed) >> 20) + 1);
	memcpy(to, image + setup, size - setup);
	return 0;
}

/* As high as it can be, so that the kernel has room to unpack itself. */
static int load_initrd(struct tv *vm, struct setup_header *hdr)
{
	uint64_t lowest = hdr->pref_address + hdr->init_size, top = vm->ram_low, at;
	uint8_t *bytes;
	size_t size;

	if (!vm->options.initrd)
		return 0;
	bytes = tv_read_file(vm, vm->options.initrd, "initramfs", &size);
	if (!bytes)
		return -EINVAL;
	if (top > (uint64_t)hdr->initrd_addr_max + 1)
		top = (uint64_t)hdr->initrd_addr_max + 1;
	at = (top - (size < top ? size : 0)) & ~(uint64_t)(PAGE - 1);
	if (size >= top || at < lowest) {
		free(bytes);
		return tv_error(vm, -EPROTO,
				"%s: an initramfs of %u MiB does not fit into %u MiB of memory",
				vm->options.initrd, (unsigned)(size >> 20),
				(unsigned)(vm->options.memory >> 20));
	}
	memcpy(vm->ram + at, bytes, size);
	free(bytes);
	hdr->ramdisk_image = (uint32_t)at;
	hdr->ramdisk_size = (uint32_t)size;
	return 0;
}

static void add_memory(struct boot_params *params, uint64_t from, uint64_t to, uint32_t type)
{
	struct boot_e820_entry *entry = &params->e820_table[params->e820_entries];

	if (from >= to)
		return;
	entry->addr = from;
	entry->size = to - from;
	entry->type = type;
	params->e820_entries++;
}

static int write_parameters(struct tv *vm, const struct setup_header *hdr)
{
	struct boot_params *params = (void *)(vm->ram + ZERO_PAGE);
	const char *append = vm->options.append;
	const uint32_t ram = 1, reserved = 2;

	if (strlen(append) > hdr->cmdline_size || strlen(append) >= 0x10000)
		return tv_error(vm, -EPROTO, "--append: longer than the %u bytes this kernel takes",
				hdr->cmdline_size);
	memset(params, 0, sizeof(*params));
	memcpy(&params->hdr, hdr, sizeof(*hdr));
	params->hdr.type_of_loader = 0xff;
	params->hdr.cmd_line_ptr = COMMAND_LINE;
	memcpy(vm->ram + COMMAND_LINE, append, strlen(append) + 1);
	params->acpi_rsdp_addr = tv_acpi_build(vm);
	add_memory(params, 0, TV_LOW_RAM_END, ram);
	add_memory(params, TV_ACPI, TV_HIGH_RAM, reserved);
	add_memory(params, TV_HIGH_RAM, vm->ram_low, ram);
	add_memory(params, TV_4G, TV_4G + vm->options.memory - vm->ram_low, ram);
	return 0;
}

int tv_load_linux(struct tv *vm, const uint8_t *image, size_t size)
{
	struct setup_header hdr;
	int err = check_header(vm, image, size, &hdr);

	if (err == 0)
		err = load_kernel(vm, image, size, &hdr);
	if (err == 0)
		err = load_initrd(vm, &hdr);
	if (err == 0)
		err = write_parameters(vm, &hdr);
	if (err < 0)
		return err;
	vm->long_mode = true;
	vm->start = (struct kvm_regs){
		.rip = hdr.pref_address + ENTRY_64, .rsi = ZERO_PAGE, .rflags = 2};
	return 0;
}
