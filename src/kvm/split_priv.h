/* SPDX-License-Identifier: MIT */
/*
 * The inside of the split backend: split.c sets it up, split_routes.c has the table KVM is given,
 * split_commit.c says when, split_msi.c the MSIs in it, split_eoi.c what an EOI exit means,
 * split_lines.c lines, split_event.c eventfds, split_run.c a vCPU's exits, split_still.c what is
 * done with vCPUs stopped.
 */
#ifndef LW_SPLIT_PRIV_H
#define LW_SPLIT_PRIV_H

#include <lapwing/kvm.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/bits.h"
#include "kvm/event.h"

#define NOBODY    UINT32_MAX
#define PIN_WORDS 4u /* 240 pins in words of 64 */

/* An MSI as KVM wants it. A level one's data is never 0, so no data is no route. */
struct split_route {
	uint32_t lo, hi, data;
};

enum split_pin_flags {
	DUE = 1u << 0,      /* the new route is to be installed as soon as nothing is in flight */
	BUILDING = 1u << 1, /* KVM is being given another route: deliver nothing */
	DROP = 1u << 2,     /* masked, and its route was in the way: KVM shall forget it */
};

struct split_pin {
	struct split_route committed; /* what KVM has */
	struct split_route built;     /* what it is being given */
	struct lw_msg delivered;      /* the last level message that was taken */
	uint64_t seen;                /* the RTE when it was last looked at */
	uint32_t resamplers;          /* sources whose eventfds want to hear of the EOI */
	uint8_t flags;
	bool told; /* lw_split_notify() */
};

/* What is known of a vector that exits for nothing on a vCPU. */
struct split_stale {
	uint32_t exits; /* since KVM was last given a new route */
	uint32_t epoch; /* when that was */
	bool owed;      /* a recommit, once it would help */
};

struct split_vcpu {
	int fd; /* -1: not named */
	uint32_t apic_id;
	struct split_stale stale[256];
};

struct split_msi {
	struct split_route route; /* data 0 and lo 0: none */
	struct split_route shown; /* what KVM has for the GSI, whoever has it now */
	int irqfd;                /* a duplicate, or -1 */
	bool used;
};

struct split_event {
	int trigger, resample; /* duplicates, or -1 */
	uint32_t gsi, source;
	uint32_t generation; /* of this place: which attachment it is */
};

/* Why a table is installed though no pin's route is due. */
enum split_force {
	FORCE_WRITE = 1u << 0,    /* without LW_SPLIT_QUIET: an RTE was written */
	FORCE_MSI = 1u << 1,      /* an MSI's route changed: waits for lw_split_release() */
	FORCE_RECOMMIT = 1u << 2, /* a stale vector */
	FORCE_LEFT = 1u << 3,     /* a route that was left over */
	FORCE_ALL = 1u << 4,      /* KVM's table is unknown, until it has one: deliver nothing */
	FORCE_IRQFD = 1u << 5,    /* an irqfd is about to begin: waits for nothing */
};

struct lw_split {
	const struct lw_split_ops *ops;
	void *ctx;
	const struct lw_kvm_sys *sys;
	int vm_fd, epoll_fd;
	uint32_t flags, nvcpus, pins, msis, max_events, recommit_ns;
	bool suppresses; /* KVM broadcasts no EOI of a guest that asks it not to */

	/* First in order. The table, the MSIs. */
	pthread_mutex_t commit_lock;
	struct kvm_irq_routing *table;
	struct split_msi *msi;

	/* Second: the I/O APIC, and all of what follows. */
	pthread_mutex_t lock;
	struct lw_ioapic *io;
	struct split_pin *pin;
	struct split_vcpu *vcpu;
	uint64_t dirty[PIN_WORDS]; /* pins whose route in KVM is not the one that the RTE says */
	uint32_t force;
	uint32_t held;       /* lw_split_hold() */
	uint32_t installers; /* threads in lw_split_install() */
	uint32_t epoch;
	int trouble; /* what an ioctl said that nobody has been told */
	uint32_t tokens;
	uint64_t refilled_at;
	/* The EOI that is being matched. */
	const struct kvm_lapic_state *lapic;
	uint32_t only; /* but for one pin, NOBODY: any */
	struct lw_split_counters counters;
	atomic_uint writers; /* guests' writes under way: what else changes an RTE is not counted */

	/* Nest in nothing. */
	pthread_mutex_t pic_lock;
	struct lw_pic *pic;
	atomic_bool intr;
	int extint; /* vCPU 0's own: acknowledged, but KVM did not take it; or -1 */
	pthread_mutex_t event_lock;
	struct split_event *event;
	struct lw_events events;
};

#pragma GCC visibility push(hidden)

/* ---- split.c ---- */

/* What it returned, or its negative errno, which the caller counts: it tells it, or leaves it with
 * lw_split_trouble() to the next call that returns. */
int lw_split_ioctl(const struct lw_split *s, int fd, unsigned long request, void *argument);
/* Under the lock. */
void lw_split_trouble(struct lw_split *s, int err);
bool lw_split_named(const struct lw_split *s, uint32_t vcpu);

/* ---- split_routes.c ---- */

struct split_route lw_split_route_of(const struct lw_msg *msg);
/* The reverse, for level routes. */
struct lw_msg lw_split_route_msg(const struct split_route *route);
bool lw_split_same(const struct split_route *a, const struct split_route *b);
struct lw_msg lw_split_rte_msg(const struct lw_split *s, uint64_t rte);
/* The route that a pin should have in KVM, and whether KVM has it. */
struct split_route lw_split_wanted(const struct lw_split *s, uint32_t gsi);
/* Note whether the pin's route is another than KVM's. */
void lw_split_refresh(struct lw_split *s, uint32_t gsi);
/* Is it to be installed now? */
bool lw_split_due(const struct lw_split *s, uint32_t gsi);
/* Write down the table: the routes that are due, those that KVM has, the MSIs. Under both locks. */
void lw_split_build(struct lw_split *s);
/* KVM has it, or has it not. Under both locks. */
void lw_split_built(struct lw_split *s, bool installed);
/* Has KVM what it should of an MSI with an irqfd? With the commit mutex. */
bool lw_split_msi_is_known(const struct split_msi *msi);
/* A message to KVM: how many took it, or an errno as of lw_split_ioctl(). Under the lock. */
int lw_split_signal(struct lw_split *s, const struct split_route *route);
void lw_split_deliver(void *ctx, uint32_t gsi, const struct lw_msg *msg, struct lw_takers *takers);
void lw_split_wrote(void *ctx, const struct lw_msg *before, const struct lw_msg *after);

/* ---- split_commit.c ---- */

/* Install what is due and deliver what waited for it; without any lock. Every call ends with it.
 * Returns 0 or the errno of what KVM refused in the meantime. */
int lw_split_settle(struct lw_split *s);
/* The same at the end of a call that has an errno of its own to tell, which comes first: what else
 * there is stays for the next. */
int lw_split_settle_after(struct lw_split *s, int err);
/* What such a call returns where it has installed already, with `commit_err`. */
int lw_split_tell(struct lw_split *s, int err, int commit_err);
/* Install and deliver alone: 1 if this thread has installed something, 0 if not; or the errno of
 * the commit, which nobody else is told. What another thread is installing is not waited for. */
int lw_split_install(struct lw_split *s);
/* Is a table to be installed though no pin's route is due? Under the lock. */
bool lw_split_forced(const struct lw_split *s);
bool lw_split_anything_due(const struct lw_split *s);
/* lw_ioapic_retry() first. */
int lw_split_retry_and_settle(struct lw_split *s);
/* May there be another recommit just now? Under the lock. */
bool lw_split_take_token(struct lw_split *s);

/* ---- split_eoi.c ---- */

/* Would the message go to that vCPU? Its LAPIC's registers may be unknown: then maybe is yes. */
bool lw_split_reaches(const struct lw_split *s, const struct lw_msg *msg, uint32_t vcpu,
		      const struct kvm_lapic_state *lapic);
/* Is the vector pending or in service there? */
bool lw_split_holds(const struct kvm_lapic_state *lapic, uint8_t vector);
/* Has the guest asked for no broadcasts? */
bool lw_split_suppressed(const struct kvm_lapic_state *lapic);
bool lw_split_took(void *ctx, uint32_t gsi, uint32_t vcpu);

/* ---- split_msi.c ---- */

void lw_split_msis_close(struct lw_split *s);

/* ---- split_lines.c ---- */

void lw_split_storm(void *ctx, uint32_t gsi);

/* ---- split_event.c ---- */

int lw_split_events_init(struct lw_split *s);
void lw_split_events_close(struct lw_split *s);
void lw_split_resampled(void *ctx, uint32_t gsi);
/* Bring the chip's notification of a pin in line with who wants it. */
void lw_split_set_notify(struct lw_split *s, uint32_t gsi);

/* ---- split_run.c ---- */

int lw_split_pic_init(struct lw_split *s, struct lw_pic *storage);

#pragma GCC visibility pop

#endif
