/* SPDX-License-Identifier: MIT */
/*
 * tinyvmm without KVM: what its guests can reach, which are ports of every width and the rings of
 * the disk, and what its users hand it, which are images. Guest memory lies between two pages that
 * nobody may touch.
 */
#include "vmm.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define MEMORY     (4u << 20)
#define PAGE       4096u
#define DISK_BYTES 5000u /* no whole number of sectors */
#define IMAGE      4096u
#define QUEUE      64u
#define ENTRY      0x200000u
#define RING_PAGES 8u

static struct {
	struct tv vm;
	uint8_t *ram;
	int disk_fd;
	char disk[32];
	bool playing; /* no ioctl and no thread meanwhile */
	unsigned images;
} rig;

/* ---- the system ---- */

int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *argument);
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	errno = ENOTTY;
	return -1;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
			  void *argument)
{
	return rig.playing ? 0 : __real_pthread_create(thread, attr, start, argument);
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	return rig.playing ? 0 : __real_pthread_join(thread, result);
}

static int isa_line(struct tv *vm, unsigned irq, bool level)
{
	(void)vm;
	(void)level;
	if (irq > 15)
		fuzz_fail("IRQ %u", irq);
	return 0;
}

static int attach(struct tv *vm, unsigned gsi, int trigger, int resample)
{
	(void)vm;
	return gsi < TV_PINS && trigger >= 0 && resample >= 0 ? 0 : -EINVAL;
}

static const struct tv_irq_ops irq_ops = {.isa_line = isa_line, .attach = attach};

/* ---- the guest ---- */

static void port(uint16_t number, bool write, uint32_t value, unsigned size)
{
	uint8_t data[8];

	memset(data, 0x5a, sizeof(data));
	memcpy(data, &value, sizeof(value));
	tv_port_access(&rig.vm, number, write, data, size);
	for (unsigned n = size; !write && n < 4; n++)
		if (data[n] != (uint8_t)(value >> 8 * n))
			fuzz_fail("port %#x, %u bytes: more was written", number, size);
}

static void any_port(struct input *in)
{
	static const uint16_t ports[] = {0x3f8,  0x3f9,  0x3fa,  0x3fb,  0x3fc,  0xcf8,  0xcfc,
					 0xc000, 0xc004, 0xc008, 0xc00e, 0xc010, 0xc012, 0xc013,
					 0xc014, 0x600,  0x604,  0x608,  0x70,   0xf4};
	static const uint8_t sizes[] = {1, 2, 4, 4};
	uint8_t what = in_byte(in), which = in_byte(in);
	uint16_t number = which < 0xe0 ? ports[which % 20] : (uint16_t)in_bytes(in, 2);

	if (which >= 0xc0)
		number = (uint16_t)(number + which % 8);
	port(number, what & 4, in_word(in), sizes[what & 3]);
}

static uint32_t queue_page(void)
{
	uint8_t data[4] = {0};
	uint32_t pfn;

	port(0xc00e, true, 0, 2);
	tv_port_access(&rig.vm, 0xc008, false, data, 4);
	memcpy(&pfn, data, sizeof(pfn));
	return pfn;
}

static void place_queue(struct input *in)
{
	uint8_t byte = in_byte(in);

	port(0xc00e, true, 0, 2);
	port(0xc008, true, byte < 0xe0 ? 1u + byte % RING_PAGES : in_word(in), 4);
}

/* Of the ring's memory, wherever the guest may have put it. */
static uint8_t *ring(uint32_t at, uint32_t size)
{
	uint8_t *memory = tv_memory(&rig.vm, (uint64_t)queue_page() * PAGE + at, size);

	return memory ? memory : rig.ram;
}

static uint64_t some_address(struct input *in)
{
	uint8_t byte = in_byte(in);

	if (byte < 0xc0)
		return byte * 0x100u;
	if (byte < 0xe0) /* about the two ends of memory */
		return (byte & 1 ? MEMORY : rig.vm.ram_low) - 64 + in_byte(in);
	return byte < 0xf0 ? TV_4G + in_bytes(in, 3) : in_bytes(in, 8);
}

static void descriptor(struct input *in)
{
	uint8_t what = in_byte(in);
	uint64_t address = some_address(in);
	uint32_t length = in_byte(in) * 16u;
	uint16_t rest[2] = {(uint16_t)(what >> 6), (uint16_t)in_below(in, QUEUE + 2)};
	uint8_t *d = ring(16u * (what % 8u), 16);

	if (what & 8)
		length = in_word(in);
	memcpy(d, &address, sizeof(address));
	memcpy(d + 8, &length, sizeof(length));
	memcpy(d + 12, rest, sizeof(rest));
}

/* Three descriptors that make a request, nearly always. */
static void request(struct input *in)
{
	uint8_t what = in_byte(in), *table = ring(0, 64);
	uint32_t header[4] = {what & 3, 0, in_byte(in) % 12u, what >= 0xf8 ? in_word(in) : 0};
	struct {
		uint64_t address;
		uint32_t length;
		uint16_t flags, next;
	} d[3] = {{0x8000, 16, 1, 1}, {0, 0, 1, 2}, {0x8100, 1, 2, 0}};

	d[1].address = some_address(in);
	d[1].length = in_byte(in) * 8u;
	d[1].flags |= what & 1 || what & 4 ? 0 : 2;
	memcpy(rig.ram + 0x8000, header, sizeof(header));
	memcpy(table, d, sizeof(d));
}

static void offer(struct input *in)
{
	uint8_t *avail = ring(16 * QUEUE, 6 + 2 * QUEUE);
	uint16_t head = (uint16_t)in_below(in, QUEUE + 2), index;
	uint8_t how = in_byte(in);

	memcpy(&index, avail + 2, sizeof(index));
	memcpy(avail + 4 + 2 * (index % QUEUE), &head, sizeof(head));
	index = (uint16_t)(index + (how < 0xf0 ? 1 : how));
	memcpy(avail + 2, &index, sizeof(index));
	avail[0] = how & 1;
}

static void serve(struct input *in)
{
	(void)in;
	tv_disk_serve(&rig.vm);
}

static void poke(struct input *in)
{
	uint64_t address = some_address(in);
	uint32_t size = 1 + in_byte(in) % 8u;
	uint8_t *to = tv_memory(&rig.vm, address, size);
	uint64_t value = in_bytes(in, size);

	if (to)
		memcpy(to, &value, size);
}

/* ---- images ---- */

struct image_64 {
	Elf64_Ehdr elf;
	Elf64_Phdr segment[2];
	uint32_t multiboot[3];
	uint8_t code[64];
};

struct image_32 {
	Elf32_Ehdr elf;
	Elf32_Phdr segment[2];
	uint32_t multiboot[3];
	uint8_t code[64];
};

static size_t make_64(uint8_t *to)
{
	struct image_64 i = {.elf = {.e_ident = ELFMAG,
				     .e_machine = EM_X86_64,
				     .e_entry = ENTRY,
				     .e_phoff = sizeof(i.elf),
				     .e_phnum = 2},
			     .multiboot = {0x1badb002, 0, 0u - 0x1badb002}};

	i.elf.e_ident[EI_CLASS] = ELFCLASS64;
	for (unsigned n = 0; n < 2; n++)
		i.segment[n] = (Elf64_Phdr){.p_type = PT_LOAD,
					    .p_offset = offsetof(struct image_64, code),
					    .p_paddr = ENTRY + n * PAGE,
					    .p_filesz = sizeof(i.code),
					    .p_memsz = sizeof(i.code) * (1 + n)};
	memcpy(to, &i, sizeof(i));
	return sizeof(i);
}

static size_t make_32(uint8_t *to)
{
	struct image_32 i = {.elf = {.e_ident = ELFMAG,
				     .e_machine = EM_386,
				     .e_entry = ENTRY,
				     .e_phoff = sizeof(i.elf),
				     .e_phnum = 2},
			     .multiboot = {0x1badb002, 0, 0u - 0x1badb002}};

	i.elf.e_ident[EI_CLASS] = ELFCLASS32;
	for (unsigned n = 0; n < 2; n++)
		i.segment[n] = (Elf32_Phdr){.p_type = PT_LOAD,
					    .p_offset = offsetof(struct image_32, code),
					    .p_paddr = ENTRY + n * PAGE,
					    .p_filesz = sizeof(i.code),
					    .p_memsz = sizeof(i.code) * (1 + n)};
	memcpy(to, &i, sizeof(i));
	return sizeof(i);
}

static size_t make_linux(uint8_t *to)
{
	struct setup_header hdr = {.setup_sects = 1,
				   .boot_flag = 0xaa55,
				   .header = 0x53726448,
				   .version = 0x20c,
				   .xloadflags = XLF_KERNEL_64,
				   .pref_address = 0x100000,
				   .init_size = 0x2000,
				   .cmdline_size = 255,
				   .initrd_addr_max = 0x3fffff};

	memset(to, 0, 2048);
	memcpy(to + 0x1f1, &hdr, sizeof(hdr));
	return 2048;
}

/* In a block of its own, so that it can't be read past its end. */
static int load(const uint8_t *bytes, size_t size)
{
	uint8_t *image = malloc(size);
	int err = -ENOMEM;

	if (image) {
		memcpy(image, bytes, size);
		err = tv_load_multiboot(&rig.vm, image, size);
		if (err == -ENOEXEC)
			err = tv_load_linux(&rig.vm, image, size);
	}
	free(image);
	return err;
}

static void image(struct input *in)
{
	static size_t (*const make[])(uint8_t *) = {make_64, make_32, make_linux};
	static uint8_t bytes[IMAGE];
	uint8_t what = in_byte(in), edits = in_byte(in) % 8;
	size_t size = make[what % 3](bytes);

	if (rig.images++ >= 4)
		return;
	rig.vm.options.cpus = what & 0x40 ? 4096 : 1;
	rig.vm.options.initrd = what & 0x20 ? rig.disk : NULL;
	for (; edits; edits--) {
		size_t at = in_bytes(in, 2), base = what % 3 == 2 ? 0x1f1 : 0;

		bytes[base + at % (what % 3 == 2 ? 128 : size)] ^= in_byte(in);
	}
	if (what & 0x80)
		size -= in_bytes(in, 2) % size;
	if (load(bytes, size) == 0 && rig.vm.start.rflags != 2)
		fuzz_fail("an image was loaded, and nothing to begin with");
}

/* ---- the whole ---- */

static void set_up_once(void)
{
	static const uint8_t content[DISK_BYTES];

	rig.ram = mmap(NULL, MEMORY + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rig.disk_fd = memfd_create("disk", MFD_CLOEXEC);
	if (rig.ram == MAP_FAILED ||
	    write(rig.disk_fd, content, sizeof(content)) != sizeof(content))
		fuzz_fail("no memory");
	rig.ram += PAGE;
	if (mprotect(rig.ram, MEMORY, PROT_READ | PROT_WRITE))
		fuzz_fail("no memory");
	snprintf(rig.disk, sizeof(rig.disk), "/proc/self/fd/%d", rig.disk_fd);
}

static void set_up(struct input *in)
{
	uint8_t how = in_byte(in);

	if (!rig.ram)
		set_up_once();
	madvise(rig.ram, MEMORY, MADV_DONTNEED);
	rig.images = 0;
	rig.vm = (struct tv){.options = {.program = "fuzz",
					 .kernel = "image",
					 .append = "quiet",
					 .disk = rig.disk,
					 .cpus = 1,
					 .memory = MEMORY},
			     .kvm = -1,
			     .fd = -1,
			     .ended_fd = -1,
			     .ram = rig.ram,
			     .ram_low = how & 1 ? MEMORY : MEMORY - (1u << 20),
			     .irq = &irq_ops};
	if (tv_serial_create(&rig.vm) || tv_disk_create(&rig.vm))
		fuzz_fail("no devices");
}

static void happen(struct input *in, uint64_t *operations)
{
	static void (*const happens[16])(struct input *) = {
		any_port,   any_port, any_port, any_port, place_queue, descriptor,
		descriptor, request,  request,  request,  offer,       offer,
		offer,      serve,    serve,    poke,
	};

	for (; in_more(in); ++*operations) {
		uint8_t what = in_byte(in);

		if (what >= 0xf8)
			image(in);
		else
			happens[what % 16](in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	uint64_t operations = 0;

	rig.playing = true;
	set_up(&in);
	fuzz_mute(true); /* a guest's console, and what is said of images */
	happen(&in, &operations);
	fuzz_mute(false);
	tv_disk_destroy(&rig.vm);
	tv_serial_destroy(&rig.vm);
	rig.playing = false;
	fuzz_count(operations);
	return 0;
}
