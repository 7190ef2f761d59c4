/* SPDX-License-Identifier: MIT */
/*
 * Message signalled interrupts: what an address and a data word mean (SDM vol. 3, 11.11).
 */
#ifndef LAPWING_MSI_H
#define LAPWING_MSI_H

#include <lapwing/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Address bits 11…5 carry bits 14…8 of the destination, as KVM, Hyper-V and Xen offer it. */
#define LW_MSI_EXT_DEST 1u

/*
 * Decode an MSI.
 *
 * Does not deliver it, and does not look at a remapping unit: an address in the remappable format
 * (bit 4 set) is for lw_msi_remap().
 *
 * flags: 0 or LW_MSI_EXT_DEST. A fixed or lowest-priority message that is a level-triggered
 * de-assert (data bits 15 and 14: 1 and 0) asks for nothing and is refused. The redirection hint
 * (address bit 3) makes a fixed message to a logical destination a lowest-priority one; elsewhere
 * it means nothing. The destination mode (bit 2) counts with and without the hint, as on every
 * machine, though the manual has it ignored without (SDM 11.11.1).
 *
 * Returns 0; -EINVAL if the address is outside 0xFEExxxxx, has an upper half, is in the remappable
 * format, or names a reserved delivery mode, or if the message is a de-assert. `msg` is then
 * untouched. Any thread; keeps no state.
 */
int lw_msi_decode(uint64_t address, uint32_t data, unsigned flags, struct lw_msg *msg);

/*
 * What a remapping unit is asked for an MSI in the remappable format: bit 4 of its address is set.
 *
 * Returns 0; -EINVAL if the address is outside 0xFEExxxxx, has an upper half or is in the other
 * format; `entry` is then untouched. Any thread; keeps no state.
 */
int lw_msi_remap(uint64_t address, uint32_t data, struct lw_remap *entry);

/*
 * The reverse of lw_msi_decode(): the address and data that decode to `msg`.
 *
 * Returns 0, or -EINVAL if the destination does not fit (255 without LW_MSI_EXT_DEST, 32767 with
 * it) or a field is out of range; `address` and `data` are then untouched. Any thread.
 */
int lw_msi_encode(const struct lw_msg *msg, unsigned flags, uint64_t *address, uint32_t *data);

#ifdef __cplusplus
}
#endif

#endif
