/* SPDX-License-Identifier: MIT */
/*
 * A small world on the real code: two vCPUs, two level pins, two vectors, devices, an MSI source,
 * and a guest that reconfigures at any moment. SPIN chooses what happens next; each choice is one
 * call of the library, or the few that a VMM makes together.
 *
 * What SPIN saves and restores is world_saved, by which stack.c finds the rest; what it compares is
 * world_digest, of which docs/proofs.md says why it is enough.
 */
#ifndef LAPWING_WORLD_H
#define LAPWING_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORLD_VCPUS   2
#define WORLD_PINS    2
#define WORLD_VECTORS 2
#define WORLD_EVENTS  40
#define WORLD_IMAGE   2136
#define WORLD_DIGEST  40

/* What governs the future. */
extern unsigned char world_digest[WORLD_DIGEST];

/* Which events may happen now, a bit for each; and how many lie behind. */
extern struct world_saved {
	uint64_t may;
	uint32_t depth;
} world_saved;

/* What has been found broken, or null. */
extern const char *world_broken;

/*
 * Set up a world. `model` is words with spaces between: a policy; `hardware`; what the guest does
 * beyond interrupts and lines: `reroute`, `revector`, `mask`, `flip`, `logical`, `msi`, `msi-b` (of
 * the other vector), `init`, `suppress`; `halts`: a vCPU that leaves guest mode with nothing
 * pending sleeps until it is told; of pin 1 `share` (it is there), `both` (and as reconfigured as
 * pin 0), `apart` (with the other vector); what is looked for beyond the invariants: `stale`,
 * `cost`, `ledger`; `digest`: whether the digest omits anything, and `blind`: it omits the balance;
 * `without-N` to leave out rule N of enum lw_rule. Ends the process if it can't be.
 *
 * Or the second world, of the split backend over a played KVM: `split`, whose scan, `6.1` or
 * `6.12`; `reroute`, `revector`, `mask`, `flip`, `logical`, `msi`, `msi-b`, `init`, `share`,
 * `both`, `apart`, `digest` as above; `ldr`: logical ids are rewritten; `self`: RTEs are written by
 * vCPU 0, not 1; `threads`: they run into one another, `deep`: three events of others within one
 * commit, and not two; `without-defer`, `without-recommit`, `without-quiet`.
 */
void world_init(const char *model);

/* How much memory all states take that SPIN may come back to. */
void world_tell_memory(void);

/* Event n happens. */
void world_do(unsigned n);

const char *world_event(unsigned n);

#endif
