/* SPDX-License-Identifier: MIT */
#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Where Intel's KVM may put pages of its own. */
#define KVM_TSS_ADDRESS 0xfffbd000u

void tv_finish(struct tv *vm, enum tv_end end)
{
	int running = TV_RUNNING;
	uint64_t one = 1;

	if (!atomic_compare_exchange_strong(&vm->end, &running, (int)end))
		return;
	while (write(vm->ended_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void tv_broke(struct tv *vm, const char *format, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	va_list args;

	pthread_mutex_lock(&lock);
	if (!vm->broken[0]) {
		va_start(args, format);
		vsnprintf(vm->broken, sizeof(vm->broken), format, args);
		va_end(args);
	}
	pthread_mutex_unlock(&lock);
	tv_finish(vm, TV_BROKE);
}

void *tv_memory(struct tv *vm, uint64_t address, uint64_t size)
{
	uint64_t high = vm->options.memory - vm->ram_low;

	if (address <= vm->ram_low && size <= vm->ram_low - address)
		return vm->ram + address;
	if (address >= TV_4G && address - TV_4G <= high && size <= high - (address - TV_4G))
		return vm->ram + vm->ram_low + (address - TV_4G);
	return NULL;
}

void *tv_read_file(struct tv *vm, const char *path, const char *what, size_t *size)
{
	FILE *file = fopen(path, "rbe");
	struct stat status;
	void *bytes = NULL;

	if (!file || fstat(fileno(file), &status) < 0) {
		tv_error(vm, -errno, "cannot open the %s %s", what, path);
		if (file)
			fclose(file);
		return NULL;
	}
	*size = S_ISREG(status.st_mode) ? (size_t)status.st_size : 0;
	if (*size == 0)
		tv_error(vm, 0, "the %s %s is empty, or no file", what, path);
	else if (!(bytes = malloc(*size)))
		tv_error(vm, -ENOMEM, "the %s %s", what, path);
	else if (fread(bytes, 1, *size, file) != *size) {
		tv_error(vm, -EIO, "cannot read the %s %s", what, path);
		free(bytes);
		bytes = NULL;
	}
	fclose(file);
	return bytes;
}

static int open_kvm(struct tv *vm)
{
	const char *device = vm->options.device;
	int version, most, run_size;

	vm->kvm = open(device, O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return tv_error(vm, -errno, "no KVM here: %s", device);
	version = ioctl(vm->kvm, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return tv_error(vm, -EPROTO, "%s is not KVM, or not one that is known", device);
	most = ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	if (most > 0 && vm->options.cpus > (unsigned)most)
		return tv_error(vm, -EPROTO, "--cpus: this KVM offers at most %d", most);
	run_size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_size < 0)
		return tv_error(vm, -errno, "cannot ask for the size of a vCPU");
	vm->run_size = (size_t)run_size;
	return 0;
}

static int add_slot(struct tv *vm, uint32_t slot, uint64_t from, uint64_t size, uint8_t *at)
{
	struct kvm_userspace_memory_region region = {.slot = slot,
						     .guest_phys_addr = from,
						     .memory_size = size,
						     .userspace_addr = (uintptr_t)at};

	if (size == 0 || ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) == 0)
		return 0;
	return tv_error(vm, -errno, "cannot give the guest its memory");
}

static int create_memory(struct tv *vm)
{
	uint64_t size = vm->options.memory;
	void *ram = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err;

	if (ram == MAP_FAILED)
		return tv_error(vm, -errno, "no %u MiB of memory", (unsigned)(size >> 20));
	vm->ram = ram;
	vm->ram_low = size < TV_LOW_LIMIT ? size : TV_LOW_LIMIT;
	err = add_slot(vm, 0, 0, vm->ram_low, vm->ram);
	if (err == 0)
		err = add_slot(vm, 1, TV_4G, size - vm->ram_low, vm->ram + vm->ram_low);
	return err;
}

static int load(struct tv *vm)
{
	size_t size;
	uint8_t *image = tv_read_file(vm, vm->options.kernel, "kernel", &size);
	int err;

	if (!image)
		return -EINVAL;
	err = tv_load_multiboot(vm, image, size);
	if (err == -ENOEXEC)
		err = tv_load_linux(vm, image, size);
	if (err == -ENOEXEC)
		tv_error(vm, 0, "%s is neither a Linux bzImage nor a multiboot image",
			 vm->options.kernel);
	free(image);
	return err;
}

static int create_cpus(struct tv *vm)
{
	int err = 0;

	vm->cpu = calloc(vm->options.cpus, sizeof(*vm->cpu));
	if (!vm->cpu)
		return tv_error(vm, -ENOMEM, "no memory for %u vCPUs", vm->options.cpus);
	for (unsigned i = 0; i < vm->options.cpus; i++) {
		vm->cpu[i].vm = vm;
		vm->cpu[i].number = i;
		vm->cpu[i].fd = -1;
	}
	for (unsigned i = 0; err == 0 && i < vm->options.cpus; i++)
		err = tv_cpu_create(vm, i);
	return err;
}

int tv_create(struct tv *vm)
{
	static const struct tv_irq_ops *const irqchips[] = {&tv_irq_kernel, &tv_irq_split,
							    &tv_irq_user};
	int err;

	vm->kvm = vm->fd = vm->ended_fd = -1;
	err = open_kvm(vm);
	if (err < 0)
		return err;
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return tv_error(vm, -errno, "cannot create a VM");
	vm->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (vm->ended_fd < 0)
		return tv_error(vm, -errno, "cannot make an eventfd");
	/* Needed by Intel's KVM only. */
	(void)ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)KVM_TSS_ADDRESS);
	err = create_memory(vm);
	if (err == 0)
		err = load(vm);
	if (err < 0)
		return err;
	vm->irq = irqchips[vm->options.irqchip];
	err = vm->irq->create(vm);
	if (err == 0)
		err = create_cpus(vm);
	if (err == 0 && tv_serial_create(vm) < 0)
		err = tv_error(vm, -ENOMEM, "no memory for the serial port");
	return err == 0 ? tv_disk_create(vm) : err;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wait_for_end(struct tv *vm, uint64_t begun)
{
	struct pollfd ended = {vm->ended_fd, POLLIN, 0};
	uint64_t limit = (uint64_t)vm->options.timeout * 1000;

	while (vm->end == TV_RUNNING) {
		uint64_t gone = now_ms() - begun;

		if (limit && gone >= limit)
			tv_finish(vm, TV_TIMED_OUT);
		else
			(void)poll(&ended, 1, limit ? (int)(limit - gone) : -1);
	}
	vm->milliseconds = now_ms() - begun;
}

int tv_run(struct tv *vm)
{
	uint64_t begun = now_ms();
	int err = 0;

	for (unsigned i = 0; err == 0 && i < vm->options.cpus; i++)
		err = tv_cpu_start(&vm->cpu[i]);
	if (err == 0)
		wait_for_end(vm, begun);
	vm->stop = true;
	for (unsigned i = 0; i < vm->options.cpus; i++)
		tv_cpu_stop(&vm->cpu[i]);
	fflush(stdout);
	return err;
}

void tv_destroy(struct tv *vm)
{
	tv_disk_destroy(vm);
	/* It may look at the vCPUs to its end. */
	if (vm->irq)
		vm->irq->destroy(vm);
	for (unsigned i = 0; vm->cpu && i < vm->options.cpus; i++)
		tv_cpu_destroy(&vm->cpu[i]);
	tv_serial_destroy(vm);
	free(vm->cpu);
	if (vm->ended_fd >= 0)
		close(vm->ended_fd);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm >= 0)
		close(vm->kvm);
	if (vm->ram)
		munmap(vm->ram, vm->options.memory);
}
