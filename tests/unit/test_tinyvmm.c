/* SPDX-License-Identifier: MIT */
/* tinyvmm from the inside: whatever becomes of a guest, no file descriptor and no thread is left.
 */
#include "test.h"

#include "vmm.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENTRY 0x200000u

static char image[] = "/tmp/lapwing-image.XXXXXX";

/* What this host's KVM is made to refuse. */
static bool without_split;
static int without_vcpu = -1;

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	unsigned long argument;
	va_list args;

	va_start(args, request);
	argument = va_arg(args, unsigned long);
	va_end(args);
	if (without_split && request == KVM_CHECK_EXTENSION && argument == KVM_CAP_SPLIT_IRQCHIP)
		return 0;
	if (without_vcpu >= 0 && request == KVM_CREATE_VCPU &&
	    argument == (unsigned long)without_vcpu) {
		errno = ENOMEM;
		return -1;
	}
	return __real_ioctl(fd, request, argument);
}

static unsigned entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* A multiboot image in long mode of so many bytes of code. */
static void write_image(const uint8_t *code, size_t size)
{
	struct {
		Elf64_Ehdr elf;
		Elf64_Phdr segment;
		uint32_t multiboot[3];
		uint8_t code[64];
	} file = {.elf = {.e_ident = ELFMAG,
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_entry = ENTRY,
			  .e_phoff = sizeof(Elf64_Ehdr),
			  .e_phnum = 1},
		  .segment = {.p_type = PT_LOAD,
			      .p_paddr = ENTRY,
			      .p_filesz = sizeof(file.code),
			      .p_memsz = sizeof(file.code)},
		  .multiboot = {0x1badb002, 0, 0u - 0x1badb002}};
	int fd = open(image, O_WRONLY | O_TRUNC);

	file.elf.e_ident[EI_CLASS] = ELFCLASS64;
	file.segment.p_offset = (size_t)(file.code - (uint8_t *)&file);
	memcpy(file.code, code, size);
	assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
	close(fd);
}

/* Runs it once without counting, since the C library may keep something of its first time. */
static void check_leaves_nothing(int wanted, char **argv)
{
	int argc = 0, status = 0;
	unsigned files = 0, threads = 0;

	while (argv[argc])
		argc++;
	for (int i = 0; i < 2; i++) {
		status = tv_main(argc, argv);
		if (i == 0) {
			files = entries("/proc/self/fd");
			threads = entries("/proc/self/task");
		}
	}
	assert_int_equal(status, wanted);
	assert_int_equal(entries("/proc/self/fd"), files);
	assert_int_equal(entries("/proc/self/task"), threads);
}

static void need_kvm(void)
{
	if (access("/dev/kvm", R_OK | W_OK) != 0)
		lw_test_skip("no access to /dev/kvm");
}

#define EACH_IRQCHIP(name) for (const char *const *name = irqchips; *name; name++)

static const char *const irqchips[] = {"kernel", "split", "user", NULL};

static void run_each(int wanted, const char *option, const char *value)
{
	EACH_IRQCHIP(irqchip)
	{
		char *argv[] = {"tinyvmm",        "--kernel", image, "--irqchip",
				(char *)*irqchip, "--cpus",   "3",   (char *)option,
				(char *)value,    NULL};

		check_leaves_nothing(wanted, argv);
	}
}

/* Two vCPUs may write theirs at once. */
static void the_first_exit_status_counts(void **state)
{
	struct tv vm = {.ended_fd = eventfd(0, EFD_CLOEXEC)};
	uint8_t first[4] = {21}, second[4] = {1};

	(void)state;
	tv_port_access(&vm, TV_PORT_EXIT, true, first, 1);
	tv_port_access(&vm, TV_PORT_EXIT, true, second, 1);
	assert_int_equal(vm.end, TV_EXIT_PORT);
	assert_int_equal(vm.status, 43);
	close(vm.ended_fd);
}

static void an_exit(void **state)
{
	static const uint8_t out_21[] = {0xb8, 21, 0, 0, 0, 0xe7, 0xf4, 0xf4};

	(void)state;
	need_kvm();
	write_image(out_21, sizeof(out_21));
	run_each(43, NULL, NULL);
}

static void a_guest_that_goes_on(void **state)
{
	static const uint8_t forever[] = {0xeb, 0xfe};

	(void)state;
	need_kvm();
	write_image(forever, sizeof(forever));
	run_each(2, "--timeout", "1");
}

static void a_guest_that_sleeps(void **state)
{
	static const uint8_t sleep[] = {0xfa, 0xf4, 0xeb, 0xfd};

	(void)state;
	need_kvm();
	write_image(sleep, sizeof(sleep));
	run_each(2, "--timeout", "1");
}

static void a_disk_that_is_not_there(void **state)
{
	(void)state;
	need_kvm();
	run_each(2, "--disk", "/nonexistent");
}

static void a_kernel_that_is_none(void **state)
{
	(void)state;
	need_kvm();
	run_each(2, "--kernel", "/proc/self/exe");
}

/* KVM_CREATE_VCPU, an eventfd or a thread's timer: wherever it ends, nothing is left. */
static void too_few_descriptors(void **state)
{
	static const uint8_t out_21[] = {0xb8, 21, 0, 0, 0, 0xe7, 0xf4, 0xf4};
	struct rlimit limit, few;
	unsigned now = entries("/proc/self/fd");
	bool failed = false;

	(void)state;
	need_kvm();
	write_image(out_21, sizeof(out_21));
	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	EACH_IRQCHIP(irqchip)
	{
		for (few.rlim_cur = now; few.rlim_cur < now + 24; few.rlim_cur++) {
			char *argv[] = {"tinyvmm",        "--kernel", image, "--irqchip",
					(char *)*irqchip, "--cpus",   "3",   NULL};
			int status;

			setrlimit(RLIMIT_NOFILE, &few);
			status = tv_main(7, argv);
			setrlimit(RLIMIT_NOFILE, &limit);
			failed = failed || status == 2;
			assert_true(status == 2 || status == 43);
			assert_int_equal(entries("/proc/self/fd"), now);
		}
	}
	assert_true(failed);
}

static void a_kernel_without_a_split_irqchip(void **state)
{
	char *argv[] = {"tinyvmm", "--kernel", image, "--irqchip", "split", NULL};
	static const uint8_t out_21[] = {0xb8, 21, 0, 0, 0, 0xe7, 0xf4, 0xf4};

	(void)state;
	need_kvm();
	write_image(out_21, sizeof(out_21));
	without_split = true;
	check_leaves_nothing(2, argv);
	without_split = false;
	check_leaves_nothing(43, argv);
}

static void a_vcpu_that_is_not_made(void **state)
{
	(void)state;
	need_kvm();
	for (without_vcpu = 0; without_vcpu < 3; without_vcpu++)
		run_each(2, NULL, NULL);
	without_vcpu = -1;
}

/* ---- the disk alone: a VM that is nothing but RAM ---- */

#define RAM       0x10000u
#define QUEUE_PFN 2u
#define QUEUE     (QUEUE_PFN * 0x1000u)

static _Alignas(0x1000) uint8_t ram[RAM];

static int attach_nothing(struct tv *vm, unsigned gsi, int trigger, int resample)
{
	(void)vm, (void)gsi, (void)trigger, (void)resample;
	return 0;
}

static const struct tv_irq_ops no_irqchip = {.attach = attach_nothing};

static void disk_out(struct tv *vm, unsigned offset, uint32_t value)
{
	assert_true(tv_disk_port(vm, (uint16_t)(TV_PORT_DISK + offset), true, (uint8_t *)&value,
				 sizeof(value)));
}

/* The available ring's index stands behind 64 descriptors, the used ring's in the next page. */
static uint16_t *available_index(void)
{
	return (uint16_t *)(void *)(ram + QUEUE + 64 * 16 + 2);
}

static uint16_t used_index(void)
{
	return __atomic_load_n((uint16_t *)(void *)(ram + QUEUE + 0x1000 + 2), __ATOMIC_ACQUIRE);
}

static void offer(struct tv *vm, uint16_t index)
{
	__atomic_store_n(available_index(), index, __ATOMIC_RELEASE);
	disk_out(vm, 0x10, 0);
}

static void wait_until_used(uint16_t index)
{
	for (unsigned i = 0; i < 5000 && used_index() != index; i++)
		usleep(1000);
	assert_int_equal(used_index(), index);
}

static void place_queue(struct tv *vm)
{
	memset(ram, 0, sizeof(ram));
	disk_out(vm, 0x08, QUEUE_PFN);
}

static void make_disk(struct tv *vm)
{
	*vm = (struct tv){.fd = -1,
			  .ram = ram,
			  .ram_low = RAM,
			  .options = {.memory = RAM, .program = "test"},
			  .irq = &no_irqchip};
	assert_int_equal(tv_disk_create(vm), 0);
	place_queue(vm);
}

static void a_queue_that_is_placed_again(void **state)
{
	struct tv vm;

	(void)state;
	make_disk(&vm);
	offer(&vm, 3);
	wait_until_used(3);
	place_queue(&vm);
	offer(&vm, 1);
	wait_until_used(1);
	disk_out(&vm, 0x12, 0); /* a reset */
	place_queue(&vm);
	offer(&vm, 2);
	wait_until_used(2);
	tv_disk_destroy(&vm);
}

static void a_ring_that_is_broken(void **state)
{
	struct tv vm;

	(void)state;
	make_disk(&vm);
	offer(&vm, 65);
	usleep(50000);
	assert_int_equal(used_index(), 0);
	offer(&vm, 64);
	wait_until_used(64);
	tv_disk_destroy(&vm);
}

static _Atomic(bool) enough;

static void *offer_for_ever(void *unused)
{
	(void)unused;
	while (!enough)
		__atomic_store_n(available_index(), (uint16_t)(used_index() + 32),
				 __ATOMIC_RELEASE);
	return NULL;
}

static void a_ring_that_is_never_empty(void **state)
{
	pthread_t guest;
	struct tv vm;

	(void)state;
	make_disk(&vm);
	offer(&vm, 32);
	assert_int_equal(pthread_create(&guest, NULL, offer_for_ever, NULL), 0);
	usleep(50000);
	tv_disk_destroy(&vm);
	enough = true;
	pthread_join(guest, NULL);
}

static int make_file(void **state)
{
	int fd = mkstemp(image);

	(void)state;
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_exit_status_counts),
		cmocka_unit_test(an_exit),
		cmocka_unit_test(a_guest_that_goes_on),
		cmocka_unit_test(a_guest_that_sleeps),
		cmocka_unit_test(a_disk_that_is_not_there),
		cmocka_unit_test(a_kernel_that_is_none),
		cmocka_unit_test(too_few_descriptors),
		cmocka_unit_test(a_kernel_without_a_split_irqchip),
		cmocka_unit_test(a_vcpu_that_is_not_made),
		cmocka_unit_test(a_queue_that_is_placed_again),
		cmocka_unit_test(a_ring_that_is_broken),
		cmocka_unit_test(a_ring_that_is_never_empty),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
