/* SPDX-License-Identifier: MIT */
/*
 * The split backend: LAPICs in KVM, the I/O APIC (and, where the VMM wants one, the 8259 pair) in
 * Lapwing. It needs liblapwing-kvm (pkg-config lapwing-kvm), which says ioctl; liblapwing does not.
 *
 * In split mode KVM takes the set of vectors whose EOI must leave the guest from the GSI routes
 * that userspace installs. This backend owns those routes and says *when* KVM sees one: a pin's
 * route stays as it was while a delivery under it is in flight, nothing is delivered under a new
 * one before it is installed, and what KVM keeps too long is driven out again. So no EOI is lost on
 * kernels that lose some, and no vector exits for ever on those that keep stale ones.
 *
 * Not mended: a guest that rewrites its logical id while a logical delivery is in service loses
 * that EOI on KVM before 6.2, where the routes are not even touched; and INIT of a vCPU is not told
 * to userspace: see lw_split_reconcile().
 *
 * Threads: what is said "own thread" below is called by the thread that runs that vCPU, outside of
 * KVM_RUN. All else may be called by any thread at any time, unless it says otherwise. Locks, in
 * this order: commit or that of eventfds, then the I/O APIC's; the 8259's nests in nothing. The
 * I/O APIC's is never held across KVM_SET_GSI_ROUTING, only across KVM_SIGNAL_MSI and KVM_GET_LAPIC
 * of a vCPU that does not run. Ops run without any lock, but for what they say.
 *
 * Errors: a call returns 0, or what it says, or a negative errno. What a guest does is no error.
 * But any call may find that KVM refuses an ioctl: it then returns that errno, once, and has done
 * what could be done. A route that could not be installed leaves its pin's line latched and is
 * tried again by the next call that comes by.
 */
#ifndef LAPWING_KVM_H
#define LAPWING_KVM_H

#include <lapwing/ioapic.h>
#include <lapwing/pic.h>
#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvm_run; /* <linux/kvm.h> */

/* The system calls that say KVM, so that tests can play any kernel. As the C library's: -1 and
 * errno. */
struct lw_kvm_sys {
	int (*open)(const char *path);
	int (*ioctl)(int fd, unsigned long request, unsigned long argument);
	void (*close)(int fd);
};

extern const struct lw_kvm_sys lw_kvm_host; /* this host's */

#define LW_SPLIT_ALIGN      64u
#define LW_SPLIT_MAX_VCPUS  4096u
#define LW_SPLIT_MAX_GSI    4096u       /* pins and MSIs together */
#define LW_SPLIT_IOAPIC     0xfec00000u /* where lw_split_handle() looks for it */
#define LW_SPLIT_MAX_SOURCE 31u         /* the highest source number of a line */

/* The fast paths, each of which can be left out; without all three it is what QEMU does. */
#define LW_SPLIT_DEFER    1u /* a pin in flight keeps its route until the EOI */
#define LW_SPLIT_RECOMMIT 2u /* drive a stale vector out from inside its exit */
#define LW_SPLIT_QUIET    4u /* no ioctl for what KVM can't see, or will be told better */
#define LW_SPLIT_FAST     (LW_SPLIT_DEFER | LW_SPLIT_RECOMMIT | LW_SPLIT_QUIET)
/* What the VM has. */
#define LW_SPLIT_PIC      8u  /* a pair of 8259As, whose INTR is vCPU 0's LINT0 */
#define LW_SPLIT_EXT_DEST 16u /* 15-bit destinations, 32-bit APIC ids: KVM_CAP_X2APIC_API */

struct lw_split; /* opaque; lw_split_size() bytes */

/* Every member may be null, but kick with LW_SPLIT_PIC. */
struct lw_split_ops {
	/* Get this vCPU out of KVM_RUN, or keep it from entering (a signal, and
	 * kvm_run.immediate_exit): lw_split_enter() has something for it. May be called under the
	 * 8259's lock and must not call the backend. */
	void (*kick)(void *ctx, uint32_t vcpu);
	/* A level delivery of a pin with lw_split_notify() on has been resolved: sample the device
	 * again. Nothing is delivered by the pin until it returns. Eventfds need none of this. */
	void (*resample)(void *ctx, uint32_t gsi);
	/* As in struct lw_ioapic_ops: call lw_split_resume() some 10 ms later. */
	void (*storm)(void *ctx, uint32_t gsi);
	/* Nanoseconds of a clock that never goes back. Called under the I/O APIC's lock, and must
	 * not call the backend. Null: CLOCK_MONOTONIC. */
	uint64_t (*now)(void *ctx);
};

struct lw_split_config {
	const struct lw_split_ops *ops; /* null: none; must outlive the backend */
	void *ctx;                      /* handed to every op */
	const struct lw_kvm_sys *sys;   /* null: lw_kvm_host */
	int vm_fd;                      /* stays the caller's, and open until lw_split_close() */
	uint32_t flags;                 /* LW_SPLIT_… */
	uint32_t nvcpus;                /* 1 … 4,096: indices that lw_split_vcpu() may name */
	uint32_t pins;                  /* 24 … 240: the I/O APIC's, and GSIs 0 … pins-1 */
	uint32_t msis;                  /* 0 … 4,096 - pins: GSIs from `pins` on */
	uint8_t version;                /* 0x11, or 0x20 which has the EOI register */
	uint8_t id;                     /* of the I/O APIC, 0 … 15 */
	/* The VM recommits at most 16 times at once and then once in so many ns. 0: a millisecond.
	 */
	uint32_t recommit_ns;
};

/* Bytes for such a backend, or 0 if the configuration is out of range. */
size_t lw_split_size(const struct lw_split_config *config);

/*
 * Make the VM's irqchip a split one (KVM_CAP_SPLIT_IRQCHIP) and take over its GSI routes. Before
 * the VM has vCPUs. With version 0x11 the guest is not offered suppressed EOI broadcasts, and with
 * 0x20 it gets them, on kernels that can tell the two apart.
 *
 * Returns 0; -EINVAL (storage misaligned, configuration out of range, LW_SPLIT_PIC without kick);
 * -ENOTSUP (no split irqchip here, or not with so many pins; no KVM_CAP_X2APIC_API for
 * LW_SPLIT_EXT_DEST); or what an ioctl gave. After a failure there is nothing to close; the VM may
 * already have its irqchip.
 */
int lw_split_init(struct lw_split *storage, const struct lw_split_config *config);

/* Detach every eventfd and close what the backend opened, nothing of the caller's. No thread may
 * be in a call. The VM is of no use afterwards. */
void lw_split_close(struct lw_split *split);

/*
 * Name a vCPU, after KVM_CREATE_VCPU and before it runs. `fd` stays the caller's. `apic_id` is the
 * one KVM_CREATE_VCPU was given, which is the guest's for it; a guest that renames an xAPIC is not
 * followed.
 * Returns 0; -EINVAL (no such index, or an APIC id that no destination reaches); -EEXIST (it, or
 * the APIC id, is named already).
 */
int lw_split_vcpu(struct lw_split *split, uint32_t vcpu, int fd, uint32_t apic_id);

/* ---- the vCPUs' exits ---- */

/*
 * Serve an exit: KVM_EXIT_IOAPIC_EOI; KVM_EXIT_MMIO of the I/O APIC's page; with LW_SPLIT_PIC
 * KVM_EXIT_IO of its ports, KVM_EXIT_IRQ_WINDOW_OPEN. Own thread.
 * Returns 1 if it was one of these, 0 if it is for the VMM; -EINVAL (no such vCPU).
 */
int lw_split_handle(struct lw_split *split, uint32_t vcpu, struct kvm_run *run);

/*
 * Before each KVM_RUN of vCPU 0, with LW_SPLIT_PIC; harmless for others. Injects the 8259's
 * interrupt, or asks for a window; a vector that KVM refuses is kept for the next call. Clears
 * run->ready_for_interrupt_injection when it has injected. Own thread.
 *
 * A vector that KVM was given and has not begun to deliver is in no saved state, and nobody can ask
 * for it. A KVM_RUN that is ended by a signal has begun to, unless the vCPU had halted in the
 * kernel: that one only wakes it, and the next begins. One that kvm_run.immediate_exit ends never
 * does, and nothing is injected if that is set by now. So whoever saves stops vCPU 0 by a signal
 * that waits outside of KVM_RUN (KVM_SET_SIGNAL_MASK), and with it still pending and immediate_exit
 * clear calls KVM_RUN once more, which ends at once, before KVM_GET_VCPU_EVENTS.
 */
int lw_split_enter(struct lw_split *split, uint32_t vcpu, struct kvm_run *run);

/*
 * For a VMM that sorts its exits itself.
 *
 * KVM_EXIT_IOAPIC_EOI of `vector` on `vcpu`: resolves what was delivered, installs what waited for
 * it, redelivers, and looks after a vector that exits for nothing. Own thread. Returns an enum
 * lw_eoi_class; -EINVAL (no such vCPU, or not named).
 */
int lw_split_eoi(struct lw_split *split, uint32_t vcpu, uint8_t vector);

/* A guest's access to the I/O APIC, `offset` from its base: see lw_ioapic_mmio_read(). */
int lw_split_mmio_read(struct lw_split *split, uint64_t offset, void *data, size_t len);
int lw_split_mmio_write(struct lw_split *split, uint64_t offset, const void *data, size_t len);

/* ---- lines ---- */

/* A device drives one of a line's sources: see lw_ioapic_line(). 0 … 31 are the VMM's; eventfds
 * take sources too, which are theirs then. -EINVAL. */
int lw_split_line(struct lw_split *split, uint32_t gsi, uint32_t source, bool level);

/* The same for IRQ 0 … 15 of a PC, but 2: the 8259's pin, if there is a pair, and the I/O APIC's of
 * the same number, IRQ 0's being 2. */
int lw_split_isa_line(struct lw_split *split, uint32_t irq, uint32_t source, bool level);

/* Whether ops->resample is told of this pin. -EINVAL. */
int lw_split_notify(struct lw_split *split, uint32_t gsi, bool on);

/* The delay after ops->storm is over. -EINVAL. */
int lw_split_resume(struct lw_split *split, uint32_t gsi);

/* Some LAPIC takes now what it did not: try again what KVM_SIGNAL_MSI delivered to nobody. Every
 * guest access and EOI does it too. */
int lw_split_retry(struct lw_split *split);

/* ---- eventfds of pins ---- */

/*
 * A device signals a pin through an eventfd, as with KVM_IRQFD, which would bypass the mask and
 * remote IRR. With `resample` >= 0 a signal asserts the line's `source`; the EOI lowers it and then
 * signals `resample`, and the device signals again if it still wants service. With -1 a signal is a
 * rise and a fall: for edge pins.
 *
 * Their other ends may be another process: whatever that does with them, nobody here waits for it.
 * `resample` is signalled by asynchronous I/O (io_submit), which goes on where a write would wait.
 * Where the host has none to give, as before Linux 5.8, a peer that fills `resample` in the instant
 * before the write stops who writes, until somebody reads it; and before 5.8 one that reads
 * `trigger` in the instant before the backend does, until it is signalled again.
 *
 * Both descriptors are duplicated and may be closed. Returns 0; -EINVAL (gsi, source, or it is no
 * eventfd as far as can be seen: a pipe, socket or file); -EBUSY (the source has an eventfd);
 * -ENOSPC (four for each pin are attached); or what the C library gave.
 */
int lw_split_attach(struct lw_split *split, uint32_t gsi, uint32_t source, int trigger,
		    int resample);

/* Lowers the line's source and closes the duplicates. What was read already is forgotten, what was
 * not stays in the eventfd; whoever takes the source next has it to himself. -EINVAL, -ENOENT. */
int lw_split_detach(struct lw_split *split, uint32_t gsi, uint32_t source);

/* Readable while some attached eventfd has been signalled: poll it, in an event loop or a thread of
 * its own, and call lw_split_serve(). The backend has no thread: whether one core serves all
 * devices, or none but them, is the VMM's to say. */
int lw_split_poll_fd(const struct lw_split *split);

/* Serve the signalled eventfds, at most 64, and wait for none: only for what any call may wait, for
 * KVM to take a table. Returns how many. An eventfd that can't be read is detached, and its errno
 * returned. */
int lw_split_serve(struct lw_split *split);

/* ---- MSIs: what concerns one GSI, by one thread at a time ---- */

/* Send an MSI, the address and data as the guest programmed them. Needs no route. Returns 1 or more
 * if somebody took it, 0 if nobody; -EINVAL (lw_msi_decode()). */
int lw_split_msi_send(struct lw_split *split, uint64_t address, uint32_t data);

/* A GSI for an MSI, which leads nowhere yet: `pins` or more. -ENOSPC. */
int lw_split_msi_alloc(struct lw_split *split);

/* Where it leads. KVM is told only of those with an irqfd, and knows when the call returns, but
 * between hold and release. -EINVAL (not an allocated MSI's GSI, or lw_msi_decode()). */
int lw_split_msi_route(struct lw_split *split, uint32_t gsi, uint64_t address, uint32_t data);

/* It leads nowhere any more: what its irqfd signals is lost. -EINVAL. */
int lw_split_msi_mask(struct lw_split *split, uint32_t gsi);

/* Let KVM send it whenever `fd`, an eventfd, is signalled (KVM_IRQFD); -1 ends that. The descriptor
 * is duplicated. From its return on no signal is lost, nor goes where the GSI led before. After an
 * errno there is no irqfd. -EINVAL, -EBUSY (it has one), -ENOENT (-1, and it has none). */
int lw_split_msi_irqfd(struct lw_split *split, uint32_t gsi, int fd);

/* Give the GSI back, its irqfd ended. -EINVAL. */
int lw_split_msi_free(struct lw_split *split, uint32_t gsi);

/* Between these, changes of where MSIs lead wait: a device with a hundred of them takes one commit.
 * They nest. What needs a pin's route does not wait, nor does an irqfd that begins: KVM is given
 * the whole table first, unless it has that MSI's route. */
void lw_split_hold(struct lw_split *split);
int lw_split_release(struct lw_split *split);

/* ---- with all vCPUs stopped ---- */

/* The machine was reset: I/O APIC, 8259s, and no pin's route in KVM. MSIs stay. */
int lw_split_reset(struct lw_split *split);

/*
 * Compare every record with the LAPICs and resolve those whose vector is neither pending nor in
 * service: the EOI has been and its exit was not served, or INIT threw it away. Before saving,
 * after restoring, and when a vCPU got INIT. Where KVM suppresses EOI broadcasts (see
 * lw_split_init()) and the guest has asked it to, the EOI register alone ends a record, and so it
 * stays.
 */
int lw_split_reconcile(struct lw_split *split);

/* The same for the records of one vCPU, on its own thread, while others run. A VMM that can tell
 * that its guest sent an INIT calls it. Logical destinations need lw_split_reconcile(). -EINVAL. */
int lw_split_reconcile_vcpu(struct lw_split *split, uint32_t vcpu);

/* The chips' state has been replaced by a saved one, and so have the LAPICs, and every vCPU has
 * been named: install the routes anew, and reconcile. Who is told of EOIs stays what
 * lw_split_attach() and lw_split_notify() said here. */
int lw_split_restored(struct lw_split *split);

/* The chips, to save and restore. Calls to them that change something bypass the routes: only with
 * vCPUs and devices stopped, lw_split_restored() next. No 8259: null. */
struct lw_ioapic *lw_split_ioapic(struct lw_split *split);
struct lw_pic *lw_split_pic(struct lw_split *split);

/* ---- what it did ---- */

struct lw_split_counters {
	uint64_t rte_writes; /* a guest's writes of half an RTE: what an immediate commit costs */
	uint64_t commits;    /* KVM_SET_GSI_ROUTING that worked, whatever for */
	uint64_t msi_commits;
	uint64_t recommits; /* … to drive a stale vector out */
	uint64_t left_over; /* … to drop a route that was left and made a superfluous exit */
	uint64_t failed;    /* ioctls that did not work */
	uint64_t deferred;  /* changes of a route that waited for an EOI */
	uint64_t quiet;     /* RTE writes that committed nothing */
	uint64_t signals;   /* KVM_SIGNAL_MSI, MSIs included */
	uint64_t refused;   /* … that nobody took */
	uint64_t latched;   /* deliveries that waited for a commit */
	uint64_t eoi_exits;
	uint64_t necessary;
	uint64_t redundant;
	uint64_t superfluous;
	uint64_t covered; /* … of them: a level pin's route leads there, so the exit has to be */
	uint64_t busy;    /* … of them: the vector was pending again, so a recommit was no use */
	uint64_t limited; /* … of them: the VM had recommitted too often */
	uint64_t reconciled; /* records that lw_split_reconcile() and its kin resolved */
};

struct lw_split_counters lw_split_counters(struct lw_split *split);

#ifdef __cplusplus
}
#endif

#endif
