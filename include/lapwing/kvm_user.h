/* SPDX-License-Identifier: MIT */
/*
 * The user backend: no interrupt controller in KVM at all. LAPICs, I/O APIC and 8259s are
 * Lapwing's, wired as in <lapwing/chip.h>; this file runs vCPUs on KVM with them: injection by
 * KVM_INTERRUPT, the interrupt window, CR8, the APIC pages, x2APIC and TSC-deadline MSRs, INIT,
 * start-up, NMI, halt and the LAPIC timers. It needs liblapwing-kvm.
 *
 * x2APIC: KVM's MSR filters don't reach MSRs 0x800 to 0x8FF. But without LAPICs in the kernel KVM
 * refuses them all, and hands what it refuses to userspace where KVM_CAP_X86_USER_SPACE_MSR can do
 * KVM_MSR_EXIT_REASON_INVAL (Linux 5.10). IA32_APIC_BASE and IA32_TSC_DEADLINE, which KVM would
 * serve by itself, come by a filter. Where a kernel lacks either, lw_user_cpuid() hides x2APIC and
 * the TSC deadline, and lw_user_flags() says so.
 *
 * Every access to a LAPIC is an exit here, the EOI's too: the EOI policy saves what happens after
 * it. This backend is for VMs that may have no irqchip in the kernel, and the split one's judge.
 *
 * Threads: "own thread" is the one that runs that vCPU. All else may be called by any thread at any
 * time, unless it says otherwise. Errors: 0, or what a call says, or a negative errno. Locks: one
 * for eventfds, and inside it or alone one for the chips; ops run without either.
 */
#ifndef LAPWING_KVM_USER_H
#define LAPWING_KVM_USER_H

#include <lapwing/chip.h>
#include <lapwing/eoi.h>
#include <lapwing/kvm.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvm_cpuid2; /* <linux/kvm.h> */

#define LW_USER_ALIGN     64u
#define LW_USER_MAX_VCPUS 4096u
#define LW_USER_IOAPIC    0xfec00000u /* where the guest finds it */
#define LW_USER_EVENTFDS  64u         /* lw_user_attach() at once */

#define LW_USER_PIC      1u /* a pair of 8259As, whose INTR is vCPU 0's LINT0, as firmware leaves it */
#define LW_USER_LAZY     2u /* the policy `lazy`; else `armed` */
#define LW_USER_X2APIC   4u /* offer x2APIC, where this kernel lets us */
#define LW_USER_DEADLINE 8u /* offer the TSC deadline, likewise */

struct lw_user; /* opaque; lw_user_size() bytes */

struct lw_user_config {
	const struct lw_kvm_sys *sys; /* null: lw_kvm_host */
	int vm_fd;                    /* stays the caller's, and open until lw_user_close() */
	int kick;                     /* a signal with a handler, for this backend's use and for the
					 VMM's to stop a vCPU; see lw_user_bind() */
	uint32_t flags;               /* LW_USER_… */
	uint32_t nvcpus;     /* 1 … 4,096; more than 255 need LW_USER_X2APIC, and start in
				x2APIC mode */
	uint32_t pins;       /* 24 … 240: the I/O APIC's, and GSIs 0 … pins-1 */
	uint8_t version, id; /* of the I/O APIC: 0x11 or 0x20; 0 … 15 */
	/* Null, or called without a lock, as in struct lw_chip_ops. */
	void (*resample)(void *ctx, uint32_t gsi);
	void *ctx;
};

/* Bytes for such a backend, or 0 if the configuration is out of range. */
size_t lw_user_size(const struct lw_user_config *config);

/*
 * Set the controllers up. The VM has no irqchip and no vCPU yet. vCPU n has APIC id n; vCPU 0 runs
 * at once, the others wait for INIT and SIPI.
 * Returns 0; -EINVAL (storage misaligned, configuration out of range); -ENOTSUP (more than 255
 * vCPUs, and no x2APIC to be had); or what an ioctl or the C library gave. After a failure there is
 * nothing to close.
 */
int lw_user_init(struct lw_user *storage, const struct lw_user_config *config);

/* Close what the backend opened; no thread may be in a call, and those of the vCPUs have ended. */
void lw_user_close(struct lw_user *user);

/* The flags as granted: LW_USER_X2APIC and LW_USER_DEADLINE only if the kernel can. */
uint32_t lw_user_flags(const struct lw_user *user);

/* Take out of a vCPU's CPUID what needs a LAPIC in the kernel (KVM's paravirtual EOI, IPIs, …), and
 * put in x2APIC and TSC deadline if they are offered. Before KVM_SET_CPUID2. */
void lw_user_cpuid(const struct lw_user *user, struct kvm_cpuid2 *cpuid);

/*
 * Name a vCPU, after KVM_CREATE_VCPU and before its registers are set: they are what INIT goes back
 * to. `fd` and `run` stay the caller's, and there until lw_user_close().
 * Returns 0; -EINVAL (no such index); -EEXIST; or what an ioctl gave.
 */
int lw_user_vcpu(struct lw_user *user, uint32_t vcpu, int fd, struct kvm_run *run);

/*
 * Own thread, once, before lw_user_run(): blocks the kick signal in this thread, lets it through in
 * KVM_RUN and while halted, so that one that comes early is not lost, and makes the LAPIC timer's
 * alarm. Returns 0; -EINVAL; -EBUSY (bound already); or what a call gave, and is not bound then.
 */
int lw_user_bind(struct lw_user *user, uint32_t vcpu);

/* Own thread, the last call: the alarm is deleted, and nobody signals this thread any more. Nothing
 * for a vCPU that is not bound. The LAPIC's timer runs on: the next bind makes an alarm for it. */
void lw_user_unbind(struct lw_user *user, uint32_t vcpu);

/*
 * Let the vCPU go on: wait while it is halted or waits for SIPI, else inject what is due and run it
 * until its next exit. What is the controllers' is served. Own thread, after lw_user_bind().
 * Returns 1 if the exit in kvm_run is for the VMM; 0 if it was served, or a kick came: call again;
 * -EINVAL (no such index, or not bound); or what KVM_RUN or another ioctl gave. A vector that KVM
 * refuses is injected by the next call; it is in service already, and no saved state has it.
 */
int lw_user_run(struct lw_user *user, uint32_t vcpu);

/* A device drives one of a line's sources: see lw_chip_line(). -EINVAL. */
int lw_user_line(struct lw_user *user, uint32_t gsi, uint32_t source, bool level);

/* Send an MSI: see lw_chip_msi(). */
int lw_user_msi(struct lw_user *user, uint64_t address, uint32_t data);

/*
 * A device signals a pin by an eventfd, as with KVM's resampling irqfds: `trigger` asserts the
 * line's `source`, which becomes this eventfd's, in the I/O APIC and the 8259s, whatever the VMM
 * has led that GSI to; the EOI, to a LAPIC or to the 8259s, lowers it and signals `resample`.
 * Through the second 8259 a spurious IRQ 15 may follow, since the line falls only after the EOI.
 * Level pins only. Both are duplicated; what their other ends do stops nobody here, but as
 * lw_split_attach() says. Returns 0; -EINVAL (gsi, source, no eventfd); -EBUSY (source taken),
 * -ENOSPC (too many), or what the C library gave.
 */
int lw_user_attach(struct lw_user *user, uint32_t gsi, uint32_t source, int trigger, int resample);

/* Lowers the line's source, which is free again, and closes the duplicates. What was read already
 * is forgotten, what was not stays in the eventfd; whoever takes the source next has it to himself.
 * Returns 0, or -ENOENT (nothing is attached there). */
int lw_user_detach(struct lw_user *user, uint32_t gsi, uint32_t source);

/* Readable while an attached eventfd has been signalled: poll it, then call lw_user_serve(). That
 * waits for none, and returns how many it served. One that can't be read is detached, and its errno
 * returned. */
int lw_user_poll_fd(const struct lw_user *user);
int lw_user_serve(struct lw_user *user);

/* The chips, for what is not here: routes, saving. They are the backend's. What has to know of each
 * delivery whether it is still in flight, lw_chip_settle() and the exports of
 * <lapwing/kvm_state.h>, wants every vCPU unbound if the policy is `lazy`. */
struct lw_chip *lw_user_chip(struct lw_user *user);

#define LW_USER_MP_NMI    1u       /* to be injected, */
#define LW_USER_MP_INIT   2u       /* or carried out */
#define LW_USER_MP_SIPI   4u       /* to be taken, if the vCPU waits for it, with the vector in */
#define LW_USER_MP_VECTOR 0xff00u  /* these bits */
#define LW_USER_MP_WAITS  0x10000u /* for SIPI */
#define LW_USER_MP_HALTED 0x20000u
#define LW_USER_MP_IF     0x40000u /* it takes interrupts, and so is woken by one */

/*
 * What no chip's snapshot holds of a vCPU, LW_USER_MP_…: save it beside lw_chip_save(), and set it
 * for each vCPU after lw_chip_restore(). That also tells the I/O APIC again which pins have
 * eventfds here, since a snapshot says what was so where it was taken. Does not touch KVM:
 * registers, FPU, MSRs and KVM_GET_VCPU_EVENTS are the VMM's to save, which has first let the last
 * exit be completed (kvm_run.immediate_exit). With all vCPUs stopped. Returns 0 or -EINVAL (no such
 * index, not named, unknown bits).
 */
int lw_user_get_mp(struct lw_user *user, uint32_t vcpu, uint32_t *mp);
int lw_user_set_mp(struct lw_user *user, uint32_t vcpu, uint32_t mp);

struct lw_user_counters {
	uint64_t runs;      /* KVM_RUN */
	uint64_t injected;  /* KVM_INTERRUPT */
	uint64_t windows;   /* exits because a window opened */
	uint64_t halts;     /* times a vCPU slept */
	uint64_t kicks;     /* signals sent to a vCPU that ran or slept */
	uint64_t spared;    /* … not sent, because it was about to look anyway */
	uint64_t apic_mmio; /* exits of the APIC pages, */
	uint64_t apic_msr;  /* and of APIC MSRs */
	uint64_t ioapic_mmio;
	struct lw_eoi_counters eoi;
};

/* A copy; exact once the vCPUs have stopped. */
struct lw_user_counters lw_user_counters(struct lw_user *user);

#ifdef __cplusplus
}
#endif

#endif
