/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_KVM_VM_H
#define LAPWING_KVM_VM_H

#include "kvm/guest.h"
#include "kvm/sys.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A virtual machine of two vCPUs running the guest of guest.S, driven in steps: each vCPU has a
 * thread of its own, which stops whenever the guest tells something and goes on when resumed.
 * All calls are the controlling thread's.
 */

#define LW_VM_CPUS 2

enum lw_vm_irqchip {
	LW_VM_SPLIT,
	LW_VM_INKERNEL,
	LW_VM_LAPWING, /* split, and lapwing/kvm.h is what it is split with */
};

enum lw_vm_event {
	LW_VM_NOTHING, /* running, or about to */
	LW_VM_READY,
	LW_VM_SERVICE,
	LW_VM_DONE,
	LW_VM_BROKEN, /* will not run again; vm->broken says why */
};

/* Exits a vCPU took, from KVM's own counters. */
struct lw_vm_counters {
	int fd;
	uint64_t exits_at;
	uint64_t irq_exits_at;
};

struct lw_vcpu {
	struct lw_vm *vm;
	unsigned number;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	/* Under vm->lock. */
	enum lw_vm_event event;
	bool seen; /* the controlling thread knows of the event */
	uint32_t value;
	bool stopping;
	uint64_t eoi_exits[256];

	struct lw_vm_counters counters;
};

struct lw_vm {
	enum lw_vm_irqchip irqchip;
	unsigned patience; /* seconds a step may take */
	int fd;
	size_t run_size;
	uint8_t *ram;
	struct lw_split *backend; /* LW_VM_LAPWING */
	/*
	 * Null, or asked about each event on the vCPU's own thread: true says that it has been
	 * dealt with and the vCPU goes on. To be set before the vCPU is resumed.
	 */
	bool (*on_event)(void *context, unsigned cpu, enum lw_vm_event event, uint32_t value);
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct lw_reason broken;
	struct lw_vcpu vcpu[LW_VM_CPUS];
};

/* Makes the VM and waits until the guest has started: vCPU 0 stopped, the others asleep. */
int lw_vm_create(struct lw_vm *vm, const struct lw_kvm *kvm, enum lw_vm_irqchip irqchip,
		 struct lw_reason *reason);
/*
 * Stops the vCPUs and releases everything; also after a failed lw_vm_create(). False if a vCPU
 * would not stop: its thread goes on using vm, which must stay.
 */
bool lw_vm_destroy(struct lw_vm *vm);

/*
 * Lets the vCPU go on if it stopped at the last step, and waits until it tells the event, for the
 * vector. Anything else, or
 * vm->patience seconds without a word, is an error with its reason. value, if given, gets what was
 * told.
 */
int lw_vm_step(struct lw_vm *vm, unsigned cpu, enum lw_vm_event event, uint32_t vector,
	       uint32_t *value, struct lw_reason *reason);

/*
 * Under the lock: waits for something to change, a tenth of a second at the most; look again
 * afterwards. Not for ever, because glibc before 2.41 can lose a wake-up (its bug 25847).
 */
void lw_vm_wait(struct lw_vm *vm);

/* Lets a vCPU that stopped at the last step go on, without waiting. */
void lw_vm_resume(struct lw_vm *vm, unsigned cpu);

struct lw_guest_mailbox *lw_vm_mailbox(struct lw_vm *vm, unsigned cpu);

/* KVM_EXIT_IOAPIC_EOI so far. */
uint64_t lw_vm_eoi_exits(struct lw_vm *vm, unsigned cpu, uint8_t vector);

/*
 * Exits so far, those for host interrupts left out, or -ENOTSUP. Counts nothing while the vCPU is
 * stopped.
 */
int lw_vm_exits(struct lw_vm *vm, unsigned cpu, uint64_t *exits);

/* Whether the stopped vCPU's local APIC holds the vector in service. */
int lw_vm_in_service(struct lw_vm *vm, unsigned cpu, uint8_t vector, bool *in_service,
		     struct lw_reason *reason);

/* Sends an MSI to the vCPU. */
int lw_vm_msi(struct lw_vm *vm, unsigned cpu, uint8_t vector, bool level, struct lw_reason *reason);
/* Split only: the routing table becomes this one level-triggered pin. */
int lw_vm_route(struct lw_vm *vm, uint32_t pin, unsigned cpu, uint8_t vector,
		struct lw_reason *reason);
/* LW_VM_LAPWING only: a guest's write of an RTE, masked meanwhile; a device's line. */
int lw_vm_write_rte(struct lw_vm *vm, uint32_t pin, unsigned cpu, uint8_t vector,
		    struct lw_reason *reason);
int lw_vm_backend_line(struct lw_vm *vm, uint32_t pin, bool level, struct lw_reason *reason);
/* In-kernel only. */
int lw_vm_line(struct lw_vm *vm, uint32_t pin, bool level, struct lw_reason *reason);
int lw_vm_remote_irr(struct lw_vm *vm, uint32_t pin, bool *remote_irr, struct lw_reason *reason);
/* Lets KVM spare the guest EOI writes through the mailbox's flag; -ENOTSUP if it does not know. */
int lw_vm_enable_pv_eoi(struct lw_vm *vm, unsigned cpu);

/* counters.c */
int lw_vm_counters_open(struct lw_vm_counters *counters, int vcpu_fd);
int lw_vm_counters_exits(const struct lw_vm_counters *counters, uint64_t *exits);
void lw_vm_counters_close(struct lw_vm_counters *counters);

/* vcpu.c */
int lw_vcpu_create(struct lw_vcpu *vcpu, const struct lw_kvm *kvm, struct lw_reason *reason);
int lw_vcpu_start(struct lw_vcpu *vcpu, struct lw_reason *reason);
/* Returns false if the thread would not end; nothing it uses may be released then. */
bool lw_vcpu_stop(struct lw_vcpu *vcpu);
void lw_vcpu_release(struct lw_vcpu *vcpu);

#endif
