/* SPDX-License-Identifier: MIT */
#include "vmm.h"

#include <string.h>

void tv_port_access(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size)
{
	static bool (*const devices[])(struct tv *, uint16_t, bool, uint8_t *, unsigned) = {
		tv_serial_port, tv_disk_port, tv_pci_port, tv_platform_port};

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (devices[i](vm, port, write, data, size))
			return;
	}
	if (!write)
		memset(data, 0xff, size);
}
