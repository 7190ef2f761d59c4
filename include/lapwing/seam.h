/* SPDX-License-Identifier: MIT */
/*
 * The seam between the chips and an EOI policy: what a policy is told (struct lw_eoi_hooks), and
 * what it may ask (struct lw_eoi_env). src/eoi implements the hooks and the chip (or a VMM with
 * LAPICs of its own) the environment. Neither side calls the other by name.
 *
 * A vCPU is *in guest mode* between hooks->enter and hooks->exit. Its *set* is the EOI-exit set;
 * where it is a hardware bitmap, only its owner can load it, and does so in hooks->enter.
 */
#ifndef LAPWING_SEAM_H
#define LAPWING_SEAM_H

#include <lapwing/ioapic.h>
#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* When a level delivery may be published in the vCPU's LAPIC. */
enum lw_publish {
	LW_PUBLISH_NOW,  /* its EOI is sure to be seen as the policy wants it */
	LW_PUBLISH_OWNER /* the owner was told: it loads the bit and calls env->publish */
};

/* "Under the lock" is the I/O APICs' common one; "owner" the vCPU's own thread. */
struct lw_eoi_hooks {
	/* Under the lock: half of an RTE was written; level is false where there is no level
	 * route. */
	void (*route)(void *eoi, const struct lw_msg *before, const struct lw_msg *after);
	/* Under the lock: a level delivery to (vcpu, vector) is about to be published. */
	enum lw_publish (*deliver)(void *eoi, uint32_t vcpu, uint8_t vector);
	/* Owner, no lock: must the EOI of (vcpu, vector) leave the guest? */
	bool (*leaves)(void *eoi, uint32_t vcpu, uint8_t vector);
	/* Owner, under the lock: it left, and was found to be `found`. */
	void (*ended)(void *eoi, uint32_t vcpu, uint8_t vector, enum lw_eoi_class found);
	/* Under the lock: see struct lw_ioapic_ops. `fell` says whether it let go, by
	 * env->release. */
	bool (*fell)(void *eoi, uint32_t vcpu, uint8_t vector);
	enum lw_recall (*recall)(void *eoi, uint32_t vcpu, uint8_t vector);
	void (*closed)(void *eoi, uint32_t vcpu, uint8_t vector);
	/* Owner, no lock: about to enter guest mode; has left it; do what others have handed over
	 * (enter does so too, so this is for a vCPU that is about to halt). */
	void (*enter)(void *eoi, uint32_t vcpu);
	void (*exit)(void *eoi, uint32_t vcpu);
	void (*serve)(void *eoi, uint32_t vcpu);
	/* Under the lock: an APIC id, LDR, DFR or enable changed somewhere. */
	void (*remap)(void *eoi);
	/* Owner, under the lock: this vCPU's LAPIC was reset and its records are resolved. */
	void (*init)(void *eoi, uint32_t vcpu);
	/* Owner, under the lock: this vCPU suppresses EOI broadcasts, or no longer does. */
	void (*broadcast)(void *eoi, uint32_t vcpu, bool suppressed);
	/* Both or neither; under the lock, with all vCPUs stopped. The policy's state as bytes of
	 * its own form, and how many: as lw_eoi_save() (lapwing/snapshot.h). And back: first with
	 * `apply` false, to say 0 or what is wrong and change nothing; then, if nothing in the
	 * whole controller's snapshot was wrong, with true. */
	size_t (*save)(const void *eoi, void *buf, size_t size);
	int (*restore)(void *eoi, const void *buf, size_t size, bool apply);
};

/* One level or edge route, as a scan sees it. */
struct lw_scanned {
	uint8_t vector;
	bool level;
	bool matches; /* it leads to the vCPU asked about */
};

struct lw_eoi_env {
	/* The I/O APICs' lock, for the owner's work in hooks->enter. */
	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);
	/* Owner: is the vector posted, in IRR or in ISR? */
	bool (*holds)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Owner: post the level vector to this vCPU. */
	void (*publish)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Any thread: make the vCPU pass hooks->enter or hooks->serve soon, so leave guest mode
	 * if it is there, and wake if it is halted. Must not call back. */
	void (*kick)(void *ctx, uint32_t vcpu);
	/* May the calling thread look into this vCPU's LAPIC (owner, or owner stopped)? */
	bool (*owned)(void *ctx, uint32_t vcpu);
	/* Does the vCPU suppress EOI broadcasts? */
	bool (*suppresses)(void *ctx, uint32_t vcpu);
	/* Under the lock: every pin, masked or not, in order. */
	void (*scan)(void *ctx, uint32_t vcpu, void (*see)(void *arg, const struct lw_scanned *r),
		     void *arg);
	/* Under the lock: the vCPUs that `msg` names. One look-up if it is physical. */
	void (*targets)(void *ctx, const struct lw_msg *msg, void (*see)(void *arg, uint32_t vcpu),
			void *arg);
	/* Under the lock: does a level route lead vector to the vCPU; is a record of it open? */
	bool (*routed)(void *ctx, uint32_t vcpu, uint8_t vector);
	bool (*in_flight)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Under the lock: let go of every record of the pair, if all may be; else of none. */
	bool (*release)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Under the lock: resolve those of the pair's records that were ever let go. */
	void (*finish)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Under the lock: the pair's EOI has been and resolved nothing; never let go of it. */
	void (*keep)(void *ctx, uint32_t vcpu, uint8_t vector);
	/* Under the lock, the answers to LW_RECALL_ASKED. */
	void (*gone)(void *ctx, uint32_t vcpu, uint8_t vector);
	void (*there)(void *ctx, uint32_t vcpu, uint8_t vector);
};

#ifdef __cplusplus
}
#endif

#endif
