/* SPDX-License-Identifier: MIT */
/* PCI configuration mechanism 1: a host bridge, and the disk as device 1. */
#include "vmm.h"

#include <string.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  (1u << 31)
#define CONFIG_BYTES   256u
#define DEVICES        2u

enum { COMMAND = 0x04, BAR0 = 0x10, INTERRUPT_LINE = 0x3c };

#define COMMAND_IO 1u
#define BAR_IO     1u
#define DISK_PORTS 64u /* what BAR 0 decodes */

/* What a device shows, by 32-bit registers; all else reads zero. */
struct header {
	uint8_t offset;
	uint32_t value;
};

static const struct header bridge[] = {
	{0x00, 0x12378086}, /* Intel 82441FX, which every guest knows */
	{0x08, 0x06000002}, /* class: host bridge */
};

/* virtio-blk in its transitional form: revision 0, subsystem 2, registers in an I/O BAR. */
static const struct header disk[] = {
	{0x00, 0x10011af4},
	{0x04, COMMAND_IO},
	{0x08, 0x01000000},
	{0x2c, 0x00021af4},
	{0x3c, 0x0100 | TV_IRQ_DISK}, /* INTA */
	{BAR0, TV_PORT_DISK | BAR_IO},
};

static uint32_t lookup(const struct header *h, size_t count, uint8_t offset)
{
	for (size_t i = 0; i < count; i++) {
		if (h[i].offset == offset)
			return h[i].value;
	}
	return 0;
}

static bool config_target(uint32_t where, unsigned *device, uint8_t *offset)
{
	*device = where >> 11 & 0x1f;
	*offset = where & 0xfc;
	return (where & CONFIG_ENABLE) && !(where >> 16 & 0xff) && !(where >> 8 & 7) &&
	       *device < DEVICES;
}

static uint32_t config_read(struct tv *vm)
{
	unsigned device;
	uint8_t offset;

	if (!config_target(vm->pci_address, &device, &offset) || (device == 1 && !vm->disk))
		return 0xffffffff;
	if (device == 0)
		return lookup(bridge, sizeof(bridge) / sizeof(bridge[0]), offset);
	/* The BAR can be sized and does not move. */
	if (offset == BAR0 && vm->pci_bar == 0xffffffff)
		return (0xffffffff & ~(DISK_PORTS - 1)) | BAR_IO;
	return lookup(disk, sizeof(disk) / sizeof(disk[0]), offset);
}

static void config_write(struct tv *vm, uint32_t value)
{
	unsigned device;
	uint8_t offset;

	if (config_target(vm->pci_address, &device, &offset) && device == 1 && offset == BAR0)
		vm->pci_bar = value;
}

bool tv_pci_port(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size)
{
	uint32_t value = 0;

	if (port == CONFIG_ADDRESS && size == 4) {
		if (write) {
			memcpy(&value, data, 4);
			vm->pci_address = value;
		} else {
			value = vm->pci_address;
			memcpy(data, &value, 4);
		}
		return true;
	}
	if (port < CONFIG_DATA || port + size > CONFIG_DATA + 4)
		return false;
	if (!write) {
		value = config_read(vm) >> (port - CONFIG_DATA) * 8;
		memcpy(data, &value, size);
	} else if (size == 4) {
		memcpy(&value, data, 4);
		config_write(vm, value);
	}
	return true;
}
