/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables that tell a guest of its processors, the I/O APIC, how to power off, and where
 * the PCI device's interrupt goes (ACPI specification 6.5, chapters 5, 6.2.13 and 20.2).
 */
#include "vmm.h"

#include <assert.h>
#include <string.h>

#define RSDP TV_ACPI
#define FACS (TV_ACPI + 0x40)
#define DSDT (TV_ACPI + 0x100)
#define FADT (TV_ACPI + 0x400)
#define XSDT (TV_ACPI + 0x600)
#define MADT (TV_ACPI + 0x700)

#define S5_TYPE 5

/* Tables are written in order, byte by byte. */
struct writer {
	uint8_t *at;
};

static void put(struct writer *w, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*w->at++ = (uint8_t)(value >> i * 8);
}

static void put_text(struct writer *w, const char *text)
{
	while (*text)
		*w->at++ = (uint8_t)*text++;
}

static uint8_t *begin(struct tv *vm, struct writer *w, uint32_t address, const char *name,
		      uint8_t revision)
{
	uint8_t *table = vm->ram + address;

	w->at = table;
	put_text(w, name);
	put(w, 0, 4);
	put(w, revision, 1);
	put(w, 0, 1);
	put_text(w, "LAPWNGTINYVMM  ");
	*w->at++ = 0;
	w->at = table + 24;
	put(w, 1, 4);
	put_text(w, "LAPW");
	put(w, 1, 4);
	return table;
}

static uint8_t checksum(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *bytes++);
	return (uint8_t)-sum;
}

static void end(uint8_t *table, const struct writer *w)
{
	uint32_t size = (uint32_t)(w->at - table);

	memcpy(table + 4, &size, sizeof(size));
	table[9] = 0;
	table[9] = checksum(table, size);
}

/* A generic address: a port of so many bytes. */
static void put_port(struct writer *w, uint16_t port, uint8_t bytes)
{
	put(w, 1, 1);
	put(w, bytes * 8u, 1);
	put(w, 0, 2);
	put(w, port, 8);
}

static void write_fadt(struct tv *vm)
{
	const uint32_t wbinvd = 1, sleep_button = 1u << 5, power_button = 1u << 4, reset = 1u << 10;
	const uint16_t no_vga = 1u << 2, no_rtc = 1u << 5;
	struct writer w;
	uint8_t *table = begin(vm, &w, FADT, "FACP", 5);

	put(&w, FACS, 4);
	put(&w, DSDT, 4);
	put(&w, 0, 2); /* reserved, profile */
	put(&w, TV_IRQ_SCI, 2);
	w.at = table + 56;
	put(&w, TV_PORT_PM, 4); /* PM1a event */
	put(&w, 0, 4);
	put(&w, TV_PORT_PM + 4, 4); /* PM1a control */
	put(&w, 0, 8);
	put(&w, TV_PORT_PM + 8, 4); /* PM timer */
	put(&w, 0, 8);
	put(&w, 4, 1);
	put(&w, 2, 1);
	put(&w, 0, 1);
	put(&w, 4, 1);
	w.at = table + 96;
	put(&w, 0xffff, 2); /* no C2, no C3 */
	put(&w, 0xffff, 2);
	w.at = table + 109;
	put(&w, no_vga | no_rtc, 2);
	w.at = table + 112;
	put(&w, wbinvd | sleep_button | power_button | reset, 4);
	put_port(&w, 0x64, 1);
	put(&w, 0xfe, 1);
	w.at = table + 132;
	put(&w, FACS, 8);
	put(&w, DSDT, 8);
	put_port(&w, TV_PORT_PM, 4);
	w.at = table + 172;
	put_port(&w, TV_PORT_PM + 4, 2);
	w.at = table + 208;
	put_port(&w, TV_PORT_PM + 8, 4);
	w.at = table + 268;
	end(table, &w);
}

static void write_facs(struct tv *vm)
{
	struct writer w = {vm->ram + FACS};

	put_text(&w, "FACS");
	put(&w, 64, 4);
}

static void put_override(struct writer *w, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	put(w, 2, 1);
	put(w, 10, 1);
	put(w, 0, 1);
	put(w, irq, 1);
	put(w, gsi, 4);
	put(w, flags, 2);
}

static void put_processor(struct writer *w, uint32_t id)
{
	if (id < 255) {
		put(w, 0, 1);
		put(w, 8, 1);
		put(w, id, 1);
		put(w, id, 1);
		put(w, 1, 4);
		return;
	}
	put(w, 9, 1); /* a local x2APIC */
	put(w, 16, 1);
	put(w, 0, 2);
	put(w, id, 4);
	put(w, 1, 4);
	put(w, id, 4);
}

static void write_madt(struct tv *vm)
{
	const uint16_t level_high = 0xd;
	struct writer w;
	uint8_t *table = begin(vm, &w, MADT, "APIC", 4);

	put(&w, TV_LAPIC_ADDR, 4);
	put(&w, 1, 4); /* there is a pair of 8259s */
	for (uint32_t i = 0; i < vm->options.cpus; i++)
		put_processor(&w, i);
	put(&w, 1, 1); /* I/O APIC */
	put(&w, 12, 1);
	put(&w, 0, 2);
	put(&w, TV_IOAPIC_ADDR, 4);
	put(&w, 0, 4);
	put_override(&w, 0, 2, 0);
	put_override(&w, TV_IRQ_SCI, TV_IRQ_SCI, level_high);
	put(&w, 4, 1); /* LINT1 of every processor is NMI */
	put(&w, 6, 1);
	put(&w, 0xff, 1);
	put(&w, 0, 2);
	put(&w, 1, 1);
	end(table, &w);
}

/* ACPI machine language: a package whose length (two bytes here) counts itself. */
static uint8_t *aml_open(struct writer *w)
{
	w->at += 2;
	return w->at - 2;
}

static void aml_close(const struct writer *w, uint8_t *length)
{
	uint32_t size = (uint32_t)(w->at - length);

	length[0] = (uint8_t)(1u << 6 | (size & 0xf));
	length[1] = (uint8_t)(size >> 4);
}

static void aml_name(struct writer *w, const char *name)
{
	put(w, 0x08, 1);
	put_text(w, name);
}

static void aml_dword(struct writer *w, uint32_t value)
{
	put(w, 0x0c, 1);
	put(w, value, 4);
}

/* Device 1, INTA: goes to its pin, whatever the guest thinks. */
static void aml_routing(struct writer *w)
{
	uint8_t *package, *entry;

	aml_name(w, "_PRT");
	put(w, 0x12, 1);
	package = aml_open(w);
	put(w, 1, 1);
	put(w, 0x12, 1);
	entry = aml_open(w);
	put(w, 4, 1);
	aml_dword(w, 0x0001ffff);
	aml_dword(w, 0);
	aml_dword(w, 0);
	aml_dword(w, TV_IRQ_DISK);
	aml_close(w, entry);
	aml_close(w, package);
}

/* What the bridge decodes: bus numbers, ports, memory. Address space descriptors, ACPI 6.4.3.5. */
static void aml_windows(struct writer *w)
{
	const uint8_t fixed = 0x0c;
	const uint32_t size = 16 + 16 + 26 + 2;
	uint8_t *buffer;

	aml_name(w, "_CRS");
	put(w, 0x11, 1);
	buffer = aml_open(w);
	aml_dword(w, size);
	put(w, 0x000d88, 3);
	put(w, 2u | (uint32_t)fixed << 8, 3);
	for (int i = 0; i < 2; i++)
		put(w, 0, 2);
	put(w, 0, 2);
	put(w, 0, 2);
	put(w, 1, 2);
	put(w, 0x000d88, 3);
	put(w, 1u | (uint32_t)fixed << 8 | 3u << 16, 3);
	put(w, 0, 2);
	put(w, TV_PORT_IO_BASE, 2);
	put(w, TV_PORT_IO_BASE + 0xfff, 2);
	put(w, 0, 2);
	put(w, 0x1000, 2);
	put(w, 0x001787, 3);
	put(w, (uint32_t)fixed << 8 | 1u << 16, 3);
	put(w, 0, 4);
	put(w, TV_PCI_WINDOW, 4);
	put(w, TV_PCI_WINDOW + 0xfffffff, 4);
	put(w, 0, 4);
	put(w, 0x10000000, 4);
	put(w, 0x0079, 2);
	aml_close(w, buffer);
}

static void write_dsdt(struct tv *vm)
{
	struct writer w;
	uint8_t *table = begin(vm, &w, DSDT, "DSDT", 2), *scope, *device, *package;

	put(&w, 0x10, 1);
	scope = aml_open(&w);
	put_text(&w, "\\_SB_");
	put(&w, 0x825b, 2);
	device = aml_open(&w);
	put_text(&w, "PCI0");
	aml_name(&w, "_HID");
	aml_dword(&w, 0x030ad041); /* PNP0A03 */
	aml_windows(&w);
	aml_routing(&w);
	aml_close(&w, device);
	aml_close(&w, scope);

	aml_name(&w, "_S5_");
	put(&w, 0x12, 1);
	package = aml_open(&w);
	put(&w, 2, 1);
	put(&w, 0x0a | S5_TYPE << 8, 2);
	put(&w, 0x0a, 2);
	aml_close(&w, package);
	end(table, &w);
}

static void write_xsdt(struct tv *vm)
{
	struct writer w;
	uint8_t *table = begin(vm, &w, XSDT, "XSDT", 1);

	put(&w, FADT, 8);
	put(&w, MADT, 8);
	end(table, &w);
}

uint64_t tv_acpi_build(struct tv *vm)
{
	struct writer w = {vm->ram + RSDP};
	uint8_t *rsdp = w.at;

	write_facs(vm);
	write_dsdt(vm);
	write_fadt(vm);
	write_madt(vm);
	write_xsdt(vm);
	put_text(&w, "RSD PTR ");
	put(&w, 0, 1);
	put_text(&w, "LAPWNG");
	put(&w, 2, 1);
	put(&w, 0, 4); /* no RSDT */
	put(&w, 36, 4);
	put(&w, XSDT, 8);
	rsdp[8] = checksum(rsdp, 20);
	put(&w, 0, 4);
	rsdp[32] = checksum(rsdp, 36);
	return RSDP;
}
