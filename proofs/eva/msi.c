/* SPDX-License-Identifier: MIT */
/* Any MSI in, any message out, and null pointers where they may be. */
#include <lapwing/msi.h>

#include "any.h"

int main(void)
{
	struct lw_msg in = {any_u32(), any_u8(), any_u8(), any_bool(), any_bool()}, out;
	struct lw_remap entry;
	uint64_t address;
	uint32_t data;

	for (;;) {
		switch (any_below(3)) {
		case 0:
			lw_msi_decode(any_u64(), any_u32(), any_u32(), any_bool() ? &out : NULL);
			break;
		case 1:
			lw_msi_remap(any_u64(), any_u32(), any_bool() ? &entry : NULL);
			break;
		default:
			lw_msi_encode(any_bool() ? &in : NULL, any_u32(),
				      any_bool() ? &address : NULL, any_bool() ? &data : NULL);
			break;
		}
	}
}
