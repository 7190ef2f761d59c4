/* SPDX-License-Identifier: MIT */
#include "kvm/vm.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUID_ENTRIES 256
#define STOP_TRIES        1000
#define STOP_TRY_NS       10000000

/* Only there so that a signal takes the thread out of KVM_RUN. */
static void on_kick(int signal_number)
{
	(void)signal_number;
}

static int kick_signal(void)
{
	return SIGRTMIN;
}

static int set_cpuid(struct lw_vcpu *vcpu, const struct lw_kvm *kvm)
{
	struct kvm_cpuid2 *cpuid;
	int err = 0;

	cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = MAX_CPUID_ENTRIES;
	if (ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		err = -errno;
	for (uint32_t i = 0; err == 0 && i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == 1)
			entry->ebx = (entry->ebx & 0x00ffffff) | vcpu->number << 24;
		else if (entry->function == 0xb || entry->function == 0x1f)
			entry->edx = vcpu->number;
	}
	if (err == 0 && ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		err = -errno;
	free(cpuid);
	return err;
}

static int set_registers(struct lw_vcpu *vcpu)
{
	struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return -errno;
	lw_guest_registers(vcpu->number, &regs, &sregs);
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable) < 0)
		return -errno;
	return 0;
}

int lw_vcpu_create(struct lw_vcpu *vcpu, const struct lw_kvm *kvm, struct lw_reason *reason)
{
	int err;

	vcpu->fd = ioctl(vcpu->vm->fd, KVM_CREATE_VCPU, (unsigned long)vcpu->number);
	if (vcpu->fd < 0)
		return lw_reason_set(reason, -errno, "cannot create vCPU %u", vcpu->number);
	vcpu->run = mmap(NULL, vcpu->vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return lw_reason_set(reason, -errno, "cannot map vCPU %u", vcpu->number);
	}
	err = set_cpuid(vcpu, kvm);
	if (err == 0)
		err = set_registers(vcpu);
	if (err == 0 && vcpu->vm->backend)
		err = lw_split_vcpu(vcpu->vm->backend, vcpu->number, vcpu->fd, vcpu->number);
	if (err < 0)
		return lw_reason_set(reason, err, "cannot set vCPU %u up", vcpu->number);
	/* Without the counters there is one way less to tell; no error. */
	if (kvm->stats)
		(void)lw_vm_counters_open(&vcpu->counters, vcpu->fd);
	return 0;
}

static enum lw_vm_event broke(struct lw_vcpu *vcpu, int err, const char *what, unsigned detail)
{
	struct lw_vm *vm = vcpu->vm;

	pthread_mutex_lock(&vm->lock);
	lw_reason_set(&vm->broken, err, "vCPU %u: %s %u", vcpu->number, what, detail);
	pthread_mutex_unlock(&vm->lock);
	return LW_VM_BROKEN;
}

static enum lw_vm_event port_write(struct lw_vcpu *vcpu)
{
	const uint8_t *data = (const uint8_t *)vcpu->run + vcpu->run->io.data_offset;

	memcpy(&vcpu->value, data, sizeof(vcpu->value));
	switch (vcpu->run->io.port) {
	case LW_GUEST_PORT_READY:
		return LW_VM_READY;
	case LW_GUEST_PORT_SERVICE:
		return LW_VM_SERVICE;
	case LW_GUEST_PORT_DONE:
		return LW_VM_DONE;
	case LW_GUEST_PORT_FAULT:
		return broke(vcpu, -EPROTO, "the guest took exception", vcpu->value);
	default:
		return broke(vcpu, -EPROTO, "the guest wrote port", vcpu->run->io.port);
	}
}

static enum lw_vm_event eoi_exit(struct lw_vcpu *vcpu)
{
	struct lw_vm *vm = vcpu->vm;
	uint8_t vector = vcpu->run->eoi.vector;
	int err = vm->backend ? lw_split_eoi(vm->backend, vcpu->number, vector) : 0;

	pthread_mutex_lock(&vm->lock);
	vcpu->eoi_exits[vector]++;
	pthread_mutex_unlock(&vm->lock);
	return err < 0 ? broke(vcpu, err, "no end for vector", vector) : LW_VM_NOTHING;
}

static enum lw_vm_event one_exit(struct lw_vcpu *vcpu)
{
	enum lw_vm_event event;

	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		event = port_write(vcpu);
		if (vcpu->vm->on_event &&
		    vcpu->vm->on_event(vcpu->vm->context, vcpu->number, event, vcpu->value))
			return LW_VM_NOTHING;
		return event;
	case KVM_EXIT_IOAPIC_EOI:
		return eoi_exit(vcpu);
	case KVM_EXIT_INTR:
		return LW_VM_NOTHING;
	case KVM_EXIT_INTERNAL_ERROR:
		return broke(vcpu, -EPROTO, "KVM could not go on, internal error",
			     vcpu->run->internal.suberror);
	default:
		return broke(vcpu, -EPROTO, "unexpected KVM exit reason", vcpu->run->exit_reason);
	}
}

static bool is_stopping(struct lw_vcpu *vcpu)
{
	bool stopping;

	pthread_mutex_lock(&vcpu->vm->lock);
	stopping = vcpu->stopping;
	pthread_mutex_unlock(&vcpu->vm->lock);
	return stopping;
}

/* Runs the guest until it tells something. */
static enum lw_vm_event run_guest(struct lw_vcpu *vcpu)
{
	enum lw_vm_event event = LW_VM_NOTHING;

	while (event == LW_VM_NOTHING && !is_stopping(vcpu)) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0)
			event = one_exit(vcpu);
		else if (errno != EINTR && errno != EAGAIN)
			event = broke(vcpu, -errno, "KVM_RUN failed, exit reason",
				      vcpu->run->exit_reason);
	}
	return event;
}

static void *vcpu_thread(void *argument)
{
	struct lw_vcpu *vcpu = argument;
	struct lw_vm *vm = vcpu->vm;

	while (!is_stopping(vcpu)) {
		enum lw_vm_event event = run_guest(vcpu);

		pthread_mutex_lock(&vm->lock);
		vcpu->event = event;
		pthread_cond_broadcast(&vm->changed);
		while (vcpu->event != LW_VM_NOTHING && !vcpu->stopping)
			lw_vm_wait(vm);
		pthread_mutex_unlock(&vm->lock);
	}
	return NULL;
}

int lw_vcpu_start(struct lw_vcpu *vcpu, struct lw_reason *reason)
{
	struct sigaction action = {.sa_handler = on_kick};
	int err;

	if (sigaction(kick_signal(), &action, NULL) < 0)
		return lw_reason_set(reason, -errno, "cannot handle signals");
	err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
	if (err != 0)
		return lw_reason_set(reason, -err, "cannot start a thread");
	vcpu->started = true;
	return 0;
}

bool lw_vcpu_stop(struct lw_vcpu *vcpu)
{
	struct lw_vm *vm = vcpu->vm;

	if (!vcpu->started)
		return true;
	pthread_mutex_lock(&vm->lock);
	vcpu->stopping = true;
	vcpu->run->immediate_exit = 1;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	for (int i = 0; i < STOP_TRIES; i++) {
		struct timespec limit;

		pthread_kill(vcpu->thread, kick_signal());
		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_nsec += STOP_TRY_NS;
		limit.tv_sec += limit.tv_nsec / 1000000000;
		limit.tv_nsec %= 1000000000;
		if (pthread_timedjoin_np(vcpu->thread, NULL, &limit) == 0)
			return true;
	}
	return false;
}

void lw_vcpu_release(struct lw_vcpu *vcpu)
{
	lw_vm_counters_close(&vcpu->counters);
	if (vcpu->run)
		munmap(vcpu->run, vcpu->vm->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
}
