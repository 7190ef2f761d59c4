/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <lapwing/msi.h>

/* Address (SDM vol. 3, 11.11.1). */
#define ADDR_BASE       0xfee00000u
#define ADDR_BASE_MASK  0xfff00000u
#define ADDR_DEST_SHIFT 12
#define ADDR_EXT_SHIFT  5
#define ADDR_EXT_MASK   0x7fu
#define ADDR_REMAPPABLE (1u << 4)
#define ADDR_HINT       (1u << 3)
#define ADDR_LOGICAL    (1u << 2)

/* Address in the remappable format (VT-d 5.1.2.2). */
#define ADDR_HANDLE_SHIFT 5
#define ADDR_SUBHANDLE    (1u << 3) /* data has a subhandle */
#define ADDR_HANDLE_15    (1u << 2)

/* Data (11.11.2). */
#define DATA_DM_SHIFT 8
#define DATA_ASSERT   (1u << 14)
#define DATA_LEVEL    (1u << 15)

static bool delivery_is_known(uint32_t delivery)
{
	return delivery != LW_DM_RESERVED && delivery != LW_DM_SIPI && delivery <= LW_DM_EXTINT;
}

int lw_msi_decode(uint64_t address, uint32_t data, unsigned flags, struct lw_msg *msg)
{
	uint32_t low = (uint32_t)address;
	uint32_t delivery = (data >> DATA_DM_SHIFT) & 7u;
	bool level = (data & DATA_LEVEL) != 0;

	if (address >> 32 || (low & ADDR_BASE_MASK) != ADDR_BASE || !msg)
		return -EINVAL;
	if ((low & ADDR_REMAPPABLE) || !delivery_is_known(delivery))
		return -EINVAL;
	/* The other modes are edges whatever the data says, and edges have no de-assert. */
	if (level && !(data & DATA_ASSERT) && delivery <= LW_DM_LOWEST)
		return -EINVAL;
	msg->dest = (low >> ADDR_DEST_SHIFT) & 0xffu;
	if (flags & LW_MSI_EXT_DEST)
		msg->dest |= ((low >> ADDR_EXT_SHIFT) & ADDR_EXT_MASK) << 8;
	msg->vector = (uint8_t)data;
	msg->delivery = (uint8_t)delivery;
	msg->logical = (low & ADDR_LOGICAL) != 0;
	msg->level = level;
	/* A physical destination has nobody to choose among. */
	if (msg->delivery == LW_DM_FIXED && msg->logical && low & ADDR_HINT)
		msg->delivery = LW_DM_LOWEST;
	return 0;
}

/* VT-d 5.1.2.2, 5.1.5.2. */
int lw_msi_remap(uint64_t address, uint32_t data, struct lw_remap *entry)
{
	uint32_t low = (uint32_t)address;

	if (address >> 32 || (low & ADDR_BASE_MASK) != ADDR_BASE || !(low & ADDR_REMAPPABLE) ||
	    !entry)
		return -EINVAL;
	*entry = (struct lw_remap){.index = low >> ADDR_HANDLE_SHIFT & 0x7fffu, .gsi = -1};
	if (low & ADDR_HANDLE_15)
		entry->index |= 0x8000u;
	if (low & ADDR_SUBHANDLE)
		entry->index += data & 0xffffu;
	return 0;
}

int lw_msi_encode(const struct lw_msg *msg, unsigned flags, uint64_t *address, uint32_t *data)
{
	uint32_t limit = flags & LW_MSI_EXT_DEST ? 0x7fffu : 0xffu;

	if (!msg || !address || !data || msg->dest > limit || !delivery_is_known(msg->delivery))
		return -EINVAL;
	*address = ADDR_BASE | (msg->dest & 0xffu) << ADDR_DEST_SHIFT |
		   (msg->dest >> 8) << ADDR_EXT_SHIFT | (msg->logical ? ADDR_LOGICAL : 0);
	*data = msg->vector | (uint32_t)msg->delivery << DATA_DM_SHIFT;
	if (msg->level)
		*data |= DATA_LEVEL | DATA_ASSERT;
	return 0;
}
