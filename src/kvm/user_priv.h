/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_KVM_USER_PRIV_H
#define LAPWING_KVM_USER_PRIV_H

#include <lapwing/kvm_user.h>

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include "kvm/event.h"

/* Where a vCPU's thread is, for whoever may have to kick it. */
enum user_where {
	USER_OUT,    /* it will look for interrupts before it runs or sleeps */
	USER_INSIDE, /* in KVM_RUN or asleep, or past its last look */
};

#define USER_NMI  LW_USER_MP_NMI
#define USER_INIT LW_USER_MP_INIT
#define USER_SIPI LW_USER_MP_SIPI

struct user_vcpu {
	struct lw_user *user;
	uint32_t number;
	int fd;
	struct kvm_run *run;
	struct kvm_sregs reset_sregs;
	struct kvm_regs reset_regs;
	_Atomic(pthread_t) thread;
	_Atomic(pid_t) tid;
	_Atomic(bool) bound; /* the two above are set */
	timer_t alarm;
	_Atomic(int) where;      /* enum user_where */
	_Atomic(uint32_t) asked; /* USER_…, SIPI's vector in bits 15…8 */
	/* Its thread's. */
	bool named, waits_for_sipi, halted;
	int refused; /* a vector that was accepted and that KVM did not take, or -1 */
	_Atomic(uint64_t) runs, injected, windows, halts, kicks, spared;
	_Atomic(uint64_t) apic_mmio, apic_msr, ioapic_mmio;
};

struct user_eventfd {
	bool used;
	uint32_t gsi, source;
	uint32_t generation; /* of this place: which attachment it is */
	int trigger, resample;
};

struct lw_user {
	struct lw_user_config config;
	const struct lw_kvm_sys *sys;
	uint32_t flags; /* as granted */
	struct lw_chip *chip;
	struct lw_eoi *eoi;
	struct user_vcpu *vcpu;
	pthread_mutex_t lock;       /* the chips' */
	pthread_mutex_t event_lock; /* of what follows; before the chips' */
	int epoll;
	struct user_eventfd event[LW_USER_EVENTFDS];
	struct lw_events events;
};

/* For docs/concurrency.md, K4 and K5: from here on whoever has something for this vCPU kicks it. */
static inline void user_go_inside(struct user_vcpu *v)
{
	atomic_store_explicit(&v->where, USER_INSIDE, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

/* user.c */
int user_ioctl(const struct lw_user *user, int fd, unsigned long request, void *argument);
uint64_t user_now(void);
/* Sets the alarm; 0: none. Nothing while the vCPU is not bound. */
void user_deadline(void *ctx, uint32_t vcpu, uint64_t deadline);

/* user_msr.c: asks KVM for the MSR exits; what it grants of `wanted`. */
uint32_t user_msr_grant(struct lw_user *user, uint32_t wanted);
void user_msr_exit(struct user_vcpu *v);
/* The guest's TSC is told to its LAPIC as it is now. */
int user_msr_sync_tsc(struct user_vcpu *v);

/* user_exit.c: 1 if the exit is the VMM's, else 0. */
int user_exit(struct user_vcpu *v);

/* user_event.c: the level delivery of a pin has been resolved. */
void user_event_resample(struct lw_user *user, uint32_t gsi);
/* The I/O APIC has been restored: which pins have eventfds is no part of a snapshot of ours. */
void user_event_wire(struct lw_user *user);

#endif
