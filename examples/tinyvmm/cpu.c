/* SPDX-License-Identifier: MIT */
#include "vmm.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUID_ENTRIES 256
#define CPUID_HYPERVISOR  (1u << 31) /* leaf 1, ECX */
#define CPUID_HTT         (1u << 28) /* leaf 1, EDX */

/*
 * The signal that takes a vCPU out of KVM_RUN. It is blocked everywhere else, so one that comes too
 * early is not lost but ends the next KVM_RUN as it begins.
 */
int tv_kick_signal(void)
{
	return SIGRTMIN;
}

static void on_kick(int number)
{
	(void)number;
}

static unsigned bits_for(unsigned count)
{
	unsigned bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

/* One package of so many cores, each one thread. */
static void set_topology(struct kvm_cpuid_entry2 *entry, uint32_t id, unsigned cpus)
{
	unsigned shown = cpus < 255 ? cpus : 255;

	switch (entry->function) {
	case 1:
		entry->ebx = (entry->ebx & 0xffff) | (id & 0xff) << 24 | shown << 16;
		entry->edx = cpus > 1 ? entry->edx | CPUID_HTT : entry->edx & ~CPUID_HTT;
		entry->ecx |= CPUID_HYPERVISOR;
		break;
	case 4:
		entry->eax &= 0x3fff;
		if (entry->eax & 0x1f)
			entry->eax |= ((1u << bits_for(shown > 64 ? 64 : shown)) - 1u) << 26;
		break;
	case 0xb:
	case 0x1f:
		entry->eax = entry->index == 1 ? bits_for(cpus) : 0;
		entry->ebx = entry->index == 0 ? 1 : entry->index == 1 ? cpus : 0;
		entry->ecx = entry->index | (entry->index < 2 ? (entry->index + 1) << 8 : 0);
		entry->edx = id;
		break;
	case 0x80000008:
		entry->ecx = (entry->ecx & ~0xf0ffu) | bits_for(cpus) << 12 | (shown - 1);
		break;
	case 0x8000001e:
		entry->eax = id;
		entry->ebx = id & 0xff;
		entry->ecx = 0;
		break;
	default:
		break;
	}
}

static int set_cpuid(struct tv_cpu *cpu)
{
	struct tv *vm = cpu->vm;
	struct kvm_cpuid2 *cpuid;
	int err = 0;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_CPUID_ENTRIES;
	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		err = -errno;
		goto out;
	}
	for (uint32_t i = 0; i < cpuid->nent; i++)
		set_topology(&cpuid->entries[i], cpu->number, vm->options.cpus);
	if (vm->irq->cpuid)
		vm->irq->cpuid(vm, cpuid);
	if (ioctl(cpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		err = -errno;
out:
	free(cpuid);
	return err;
}

int tv_cpu_create(struct tv *vm, unsigned number)
{
	struct tv_cpu *cpu = &vm->cpu[number];
	int err;

	cpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)number);
	if (cpu->fd < 0)
		return tv_error(vm, -errno, "cannot create vCPU %u of %u", number,
				vm->options.cpus);
	cpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED) {
		cpu->run = NULL;
		return tv_error(vm, -errno, "cannot map vCPU %u", number);
	}
	err = set_cpuid(cpu);
	if (err < 0)
		return tv_error(vm, err, "cannot set what vCPU %u can do", number);
	if (vm->irq->add_cpu) {
		err = vm->irq->add_cpu(cpu);
		if (err < 0)
			return tv_error(vm, err, "cannot connect vCPU %u", number);
	}
	err = number == 0 ? tv_start_registers(cpu) : 0;
	return err < 0 ? tv_error(vm, err, "cannot set the registers of vCPU 0") : 0;
}

void tv_cpu_destroy(struct tv_cpu *cpu)
{
	if (cpu->run)
		munmap(cpu->run, cpu->vm->run_size);
	if (cpu->fd >= 0)
		close(cpu->fd);
}

/* In KVM_RUN, and only there, the kick comes through. */
static int set_signal_mask(struct tv_cpu *cpu)
{
	uint32_t room[sizeof(struct kvm_signal_mask) / 4 + 2] = {8};
	struct kvm_signal_mask *mask = (struct kvm_signal_mask *)room;
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	sigdelset(&set, tv_kick_signal());
	memcpy(mask->sigset, &set, mask->len);
	return ioctl(cpu->fd, KVM_SET_SIGNAL_MASK, mask) < 0 ? -errno : 0;
}

static void forget_kicks(void)
{
	const struct timespec none = {0, 0};
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, tv_kick_signal());
	while (sigtimedwait(&kick, NULL, &none) > 0)
		;
}

int tv_kvm_run(struct tv_cpu *cpu)
{
	if (ioctl(cpu->fd, KVM_RUN, 0) == 0)
		return 1;
	if (errno != EINTR && errno != EAGAIN)
		return -errno;
	forget_kicks();
	return 0;
}

static void port_exit(struct tv_cpu *cpu)
{
	struct kvm_run *run = cpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++)
		tv_port_access(cpu->vm, run->io.port, run->io.direction == KVM_EXIT_IO_OUT,
			       data + (size_t)i * run->io.size, run->io.size);
}

static void internal_error(struct tv_cpu *cpu)
{
	struct kvm_regs regs = {0};

	(void)ioctl(cpu->fd, KVM_GET_REGS, &regs);
	tv_broke(cpu->vm,
		 "vCPU %u at %#llx: KVM could not run the guest's code (internal error %u); this "
		 "host may emulate too little of it",
		 cpu->number, (unsigned long long)regs.rip, cpu->run->internal.suberror);
}

static void one_exit(struct tv_cpu *cpu)
{
	struct kvm_run *run = cpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		port_exit(cpu);
		break;
	case KVM_EXIT_MMIO: /* nothing is there */
		if (!run->mmio.is_write)
			memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		tv_broke(cpu->vm, "vCPU %u shut down: a triple fault", cpu->number);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		tv_finish(cpu->vm, TV_POWERED_OFF);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		internal_error(cpu);
		break;
	default:
		tv_broke(cpu->vm, "vCPU %u: KVM exit %u, which is not known here", cpu->number,
			 run->exit_reason);
		break;
	}
}

static void *cpu_thread(void *argument)
{
	struct tv_cpu *cpu = argument;
	struct tv *vm = cpu->vm;
	int err = set_signal_mask(cpu);

	cpu->tid = gettid();
	if (err >= 0 && vm->irq->enter_thread)
		err = vm->irq->enter_thread(cpu);
	while (err >= 0 && !vm->stop) {
		err = vm->irq->run(cpu);
		if (err > 0) {
			cpu->exits[cpu->run->exit_reason % TV_EXIT_REASONS]++;
			one_exit(cpu);
		}
	}
	if (err < 0)
		tv_broke(vm, "vCPU %u: KVM_RUN: %s", cpu->number, strerror(-err));
	if (vm->irq->leave_thread)
		vm->irq->leave_thread(cpu);
	return NULL;
}

int tv_cpu_start(struct tv_cpu *cpu)
{
	struct sigaction action = {.sa_handler = on_kick};
	sigset_t kick;
	int err;

	sigemptyset(&kick);
	sigaddset(&kick, tv_kick_signal());
	if (sigaction(tv_kick_signal(), &action, NULL) < 0 ||
	    pthread_sigmask(SIG_BLOCK, &kick, NULL) != 0)
		return tv_error(cpu->vm, -errno, "cannot handle signals");
	err = pthread_create(&cpu->thread, NULL, cpu_thread, cpu);
	if (err != 0)
		return tv_error(cpu->vm, -err, "cannot start the thread of vCPU %u", cpu->number);
	cpu->started = true;
	return 0;
}

/* By number, not by pthread_t: other vCPUs may kick one whose thread has ended. */
void tv_cpu_kick(struct tv_cpu *cpu)
{
	if (cpu->tid)
		(void)tgkill(getpid(), cpu->tid, tv_kick_signal());
}

void tv_cpu_stop(struct tv_cpu *cpu)
{
	if (!cpu->started)
		return;
	pthread_kill(cpu->thread, tv_kick_signal());
	pthread_join(cpu->thread, NULL);
	cpu->started = false;
}
