/* SPDX-License-Identifier: MIT */
/*
 * Loads an ELF image with a multiboot header (Multiboot Specification 0.6.96), command line and
 * memory map given. An i386 image starts as that says, in 32 bits without paging. One for x86-64
 * (ELF64, or ELF32 as gcc -mx32 makes it) starts in long mode with the first 4 GiB mapped,
 * registers alike: for hosts that can't run a guest without paging.
 */
#include "vmm.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define SEARCH        8192u
#define HEADER_MAGIC  0x1badb002u
#define LOADER_MAGIC  0x2badb002u
#define NEEDS_VIDEO   4u      /* header flag */
#define UNKNOWN_FLAGS 0xfff8u /* those that a loader must refuse */
#define INFO          0x7000u
#define MEMORY_MAP    0x7100u
#define NAME          0x7200u
#define COMMAND_LINE  0x20000u
#define MAX_COMMAND   0x10000u
#define INFO_MEMORY   1u
#define INFO_COMMAND  4u
#define INFO_MAP      64u
#define INFO_NAME     512u

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
	uint32_t mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr, config_table, boot_loader_name, apm_table;
};

struct range {
	uint32_t size;
	uint32_t from[2], length[2];
	uint32_t type;
};

static int find_header(struct tv *vm, const uint8_t *image, size_t size)
{
	uint32_t word[3];

	for (size_t at = 0; at + sizeof(word) <= size && at + sizeof(word) <= SEARCH; at += 4) {
		memcpy(word, image + at, sizeof(word));
		if (word[0] != HEADER_MAGIC || word[0] + word[1] + word[2] != 0)
			continue;
		if (word[1] & (UNKNOWN_FLAGS | NEEDS_VIDEO))
			return tv_error(vm, -EPROTO,
					"%s: multiboot header asks for what is not here: %#x",
					vm->options.kernel, word[1]);
		return 0;
	}
	return -ENOEXEC;
}

/* A program header of either class. */
struct segment {
	uint32_t type;
	uint64_t offset, address, file_size, size;
};

static int load_segment(struct tv *vm, const uint8_t *image, size_t size, const struct segment *s)
{
	uint8_t *to;

	if (s->type != PT_LOAD || s->size == 0)
		return 0;
	if (s->offset > size || s->file_size > size - s->offset || s->file_size > s->size)
		return tv_error(vm, -EPROTO, "%s: a segment is cut short", vm->options.kernel);
	/* Below 1 MiB are tables of ours. */
	to = s->address < TV_HIGH_RAM ? NULL : tv_memory(vm, s->address, s->size);
	if (!to)
		return tv_error(vm, -EPROTO, "%s: a segment at %#llx does not fit into %u MiB",
				vm->options.kernel, (unsigned long long)s->address,
				(unsigned)(vm->options.memory >> 20));
	memset(to, 0, s->size);
	memcpy(to, image + s->offset, s->file_size);
	return 0;
}

static int load_32(struct tv *vm, const uint8_t *image, size_t size, uint64_t *entry)
{
	Elf32_Ehdr elf;
	int err = 0;

	memcpy(&elf, image, sizeof(elf));
	*entry = elf.e_entry;
	vm->long_mode = elf.e_machine == EM_X86_64;
	if (elf.e_machine != EM_386 && elf.e_machine != EM_X86_64)
		return tv_error(vm, -EPROTO, "%s: not for x86", vm->options.kernel);
	for (unsigned i = 0; err == 0 && i < elf.e_phnum; i++) {
		uint64_t at = (uint64_t)elf.e_phoff + i * sizeof(Elf32_Phdr);
		Elf32_Phdr ph;

		if (at + sizeof(ph) > size)
			return tv_error(vm, -EPROTO, "%s: cut short", vm->options.kernel);
		memcpy(&ph, image + at, sizeof(ph));
		err = load_segment(vm, image, size,
				   &(struct segment){ph.p_type, ph.p_offset, ph.p_paddr,
						     ph.p_filesz, ph.p_memsz});
	}
	return err;
}

static int load_64(struct tv *vm, const uint8_t *image, size_t size, uint64_t *entry)
{
	Elf64_Ehdr elf;
	int err = 0;

	if (size < sizeof(elf))
		return -ENOEXEC;
	memcpy(&elf, image, sizeof(elf));
	*entry = elf.e_entry;
	vm->long_mode = true;
	if (elf.e_machine != EM_X86_64)
		return tv_error(vm, -EPROTO, "%s: not for x86", vm->options.kernel);
	for (unsigned i = 0; err == 0 && i < elf.e_phnum; i++) {
		uint64_t at = elf.e_phoff + i * sizeof(Elf64_Phdr);
		Elf64_Phdr ph;

		if (at > size || size - at < sizeof(ph))
			return tv_error(vm, -EPROTO, "%s: cut short", vm->options.kernel);
		memcpy(&ph, image + at, sizeof(ph));
		err = load_segment(vm, image, size,
				   &(struct segment){ph.p_type, ph.p_offset, ph.p_paddr,
						     ph.p_filesz, ph.p_memsz});
	}
	return err;
}

static void add_range(struct tv *vm, struct info *info, uint64_t from, uint64_t to)
{
	struct range range = {sizeof(range) - sizeof(range.size),
			      {(uint32_t)from, (uint32_t)(from >> 32)},
			      {(uint32_t)(to - from), (uint32_t)((to - from) >> 32)},
			      1};

	if (from >= to)
		return;
	memcpy(vm->ram + MEMORY_MAP + info->mmap_length, &range, sizeof(range));
	info->mmap_length += (uint32_t)sizeof(range);
}

static int write_info(struct tv *vm)
{
	static const char name[] = "tinyvmm";
	struct info info = {.flags = INFO_MEMORY | INFO_COMMAND | INFO_MAP | INFO_NAME,
			    .mem_lower = TV_LOW_RAM_END >> 10,
			    .mem_upper = (uint32_t)((vm->ram_low - TV_HIGH_RAM) >> 10),
			    .cmdline = COMMAND_LINE,
			    .mmap_addr = MEMORY_MAP,
			    .boot_loader_name = NAME};
	char *line = (char *)vm->ram + COMMAND_LINE;
	int length = snprintf(line, MAX_COMMAND, "%s %s", vm->options.kernel, vm->options.append);

	if (length < 0 || (unsigned)length >= MAX_COMMAND)
		return tv_error(vm, -EPROTO, "--append: longer than %u bytes", MAX_COMMAND);
	add_range(vm, &info, 0, TV_LOW_RAM_END);
	add_range(vm, &info, TV_HIGH_RAM, vm->ram_low);
	add_range(vm, &info, TV_4G, TV_4G + vm->options.memory - vm->ram_low);
	memcpy(vm->ram + NAME, name, sizeof(name));
	memcpy(vm->ram + INFO, &info, sizeof(info));
	return 0;
}

int tv_load_multiboot(struct tv *vm, const uint8_t *image, size_t size)
{
	uint64_t entry = 0;
	int err;

	if (size < sizeof(Elf32_Ehdr) || memcmp(image, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	err = find_header(vm, image, size);
	if (err == -ENOEXEC)
		return tv_error(vm, -EPROTO, "%s: an ELF image without a multiboot header",
				vm->options.kernel);
	if (err < 0)
		return err;
	if (vm->options.initrd)
		return tv_error(vm, -EPROTO, "--initrd: not with a multiboot image");
	err = image[EI_CLASS] == ELFCLASS64 ? load_64(vm, image, size, &entry)
					    : load_32(vm, image, size, &entry);
	if (err == 0)
		err = write_info(vm);
	if (err < 0)
		return err;
	tv_acpi_build(vm);
	vm->start = (struct kvm_regs){.rip = entry, .rax = LOADER_MAGIC, .rbx = INFO, .rflags = 2};
	return 0;
}
