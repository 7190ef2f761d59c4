/* SPDX-License-Identifier: MIT */
/* The user backend with two vCPUs on a KVM that is played, and a guest that a test leads. */
#ifndef LAPWING_KVM_USER_RIG_H
#define LAPWING_KVM_USER_RIG_H

#include "test.h"

#include <lapwing/kvm_user.h>

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define CPUS    2
#define CPU_FD  100
#define VECTOR  0x50u
#define PIN     16u
#define APIC    0xfee00000u
#define SVR     (APIC + LW_LAPIC_SVR)
#define ICR     (APIC + LW_LAPIC_ICR)
#define TSC_KHZ 2000000

/* What KVM would do at the next KVM_RUN. */
static struct {
	struct kvm_run run[CPUS];
	struct kvm_sregs sregs[CPUS];
	unsigned long fails; /* this ioctl, with EIO */
	int injected;        /* the last KVM_INTERRUPT, or -1 */
	unsigned runs, nmis;
	unsigned parts; /* of an access, each with an exit of its own, that are still to come */
	bool done;      /* … with all of them */
	bool window;    /* asked for at the last KVM_RUN */
	uint64_t cr8;
	void (*next)(struct kvm_run *run);
} kvm;

static struct lw_user *user;

static inline int fake_ioctl(int fd, unsigned long request, unsigned long argument)
{
	unsigned n = (unsigned)(fd - CPU_FD) % CPUS;

	if (request == kvm.fails) {
		errno = EIO;
		return -1;
	}
	switch (request) {
	case KVM_GET_TSC_KHZ:
		return TSC_KHZ;
	case KVM_GET_MSRS:
		((struct kvm_msrs *)argument)->entries[0].data = 1000;
		return 1;
	case KVM_SET_SREGS:
		kvm.sregs[n] = *(struct kvm_sregs *)argument;
		return 0;
	case KVM_INTERRUPT:
		kvm.injected = (int)((struct kvm_interrupt *)argument)->irq;
		return 0;
	case KVM_NMI:
		kvm.nmis++;
		return 0;
	case KVM_RUN:
		if (kvm.run[n].immediate_exit) {
			if (kvm.parts && kvm.parts--)
				return 0;
			kvm.done = true;
			errno = EINTR;
			return -1;
		}
		kvm.runs++;
		kvm.window = kvm.run[n].request_interrupt_window;
		kvm.cr8 = kvm.run[n].cr8;
		kvm.run[n].exit_reason = KVM_EXIT_INTR;
		kvm.run[n].ready_for_interrupt_injection = 1;
		kvm.run[n].if_flag = 1;
		if (kvm.next)
			kvm.next(&kvm.run[n]);
		return 0;
	default:
		return 0;
	}
}

static const struct lw_kvm_sys fake = {.ioctl = fake_ioctl};

static inline void on_signal(int number)
{
	(void)number;
}

static inline struct lw_user_config config(void)
{
	return (struct lw_user_config){.sys = &fake,
				       .kick = SIGRTMIN,
				       .flags = LW_USER_PIC | LW_USER_X2APIC | LW_USER_DEADLINE,
				       .nvcpus = CPUS,
				       .pins = 24,
				       .version = 0x20};
}

static inline void make(const struct lw_user_config *c)
{
	user = aligned_alloc(LW_USER_ALIGN, lw_user_size(c));
	assert_non_null(user);
	assert_int_equal(lw_user_init(user, c), 0);
	for (uint32_t i = 0; i < CPUS; i++)
		assert_int_equal(lw_user_vcpu(user, i, CPU_FD + (int)i, &kvm.run[i]), 0);
	for (uint32_t i = 0; i < CPUS; i++)
		assert_int_equal(lw_user_bind(user, i), 0);
}

static inline int setup(void **state)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct lw_user_config c = config();

	(void)state;
	memset(&kvm, 0, sizeof(kvm));
	kvm.injected = -1;
	sigaction(SIGRTMIN, &action, NULL);
	make(&c);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CPUS; i++)
		lw_user_unbind(user, i);
	lw_user_close(user);
	free(user);
	return 0;
}

/* What the guest does next, as an exit. */
static struct {
	uint64_t address;
	uint32_t value;
} access_next;

static inline void exit_mmio_write(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = access_next.address;
	run->mmio.is_write = 1;
	run->mmio.len = 4;
	memcpy(run->mmio.data, &access_next.value, 4);
}

static inline void exit_halt(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_HLT;
}

static inline void step(uint32_t vcpu, void (*next)(struct kvm_run *run))
{
	kvm.next = next;
	assert_int_equal(lw_user_run(user, vcpu), 0);
}

static inline void guest_write(uint32_t vcpu, uint64_t address, uint32_t value)
{
	access_next.address = address;
	access_next.value = value;
	step(vcpu, exit_mmio_write);
}

static inline void route_pin(uint32_t pin, uint8_t vector)
{
	guest_write(0, SVR, LW_SVR_ENABLE | 0xff);
	guest_write(0, LW_USER_IOAPIC, 0x10 + 2 * pin);
	guest_write(0, LW_USER_IOAPIC + 0x10, (uint32_t)LW_RTE_LEVEL | vector);
}

static inline void run_until_injected(void)
{
	for (int i = 0; i < 10 && kvm.injected < 0; i++)
		step(0, NULL);
}

static struct {
	uint8_t bytes[64]; /* behind kvm_run, as io.data_offset says */
} port_data;

static inline void guest_out(uint16_t port, uint8_t value)
{
	struct kvm_run *run = &kvm.run[0];

	access_next.address = port;
	port_data.bytes[0] = value;
	run->io.data_offset = (uint64_t)((uint8_t *)&port_data - (uint8_t *)run);
	run->io.port = port;
	run->io.size = 1;
	run->io.count = 1;
	run->io.direction = KVM_EXIT_IO_OUT;
}

static inline void exit_port(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_IO;
}

/* Vectors from 0x30 on, the second chip at IR2, nothing masked. */
static inline void start_8259(void)
{
	static const uint8_t words[][2] = {
		{0x20, 0x11}, {0x21, 0x30}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0x00}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		guest_out(words[i][0], words[i][1]);
		step(0, exit_port);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
