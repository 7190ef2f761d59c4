/* SPDX-License-Identifier: MIT */
/*
 * The test image: writes its command line to COM1, one level-triggered interrupt of the I/O APIC
 * for each character, and leaves with the number behind "exit=" on it.
 */
#include <stdint.h>

#define LOADER_MAGIC 0x2badb002u
#define HAS_COMMAND  4u
#define COM1         0x3f8
#define EXIT_PORT    0xf4
#define SERIAL_PIN   4
#define VECTOR       0x50
#define LAPIC        0xfee00000u
#define IOAPIC       0xfec00000u
#define LEVEL        0x8000u
#define FAILED       100 /* and up: what the image itself found wrong */

void image_vector(void);
void image_interrupt(void);
void image_main(uint32_t magic, const uint32_t *info);

struct gate {
	uint16_t low, selector, flags, middle;
	uint32_t high, reserved;
};

static struct gate idt[256];
static volatile uint32_t served;
static uint32_t initialized = 0x600d;

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void leave(uint32_t value)
{
	for (;;) {
		__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"((uint16_t)EXIT_PORT));
		__asm__ volatile("cli; hlt");
	}
}

static void write_register(uintptr_t address, uint32_t value)
{
	__asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

static void write_ioapic(uint32_t index, uint32_t value)
{
	write_register(IOAPIC, index);
	write_register(IOAPIC + 0x10, value);
}

void image_interrupt(void)
{
	(void)in8(COM1 + 2); /* the transmitter is empty: the line falls */
	served = served + 1;
	write_register(LAPIC + 0xb0, 0);
}

static void set_up_interrupts(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = {sizeof(idt) - 1, (uintptr_t)idt};
	uintptr_t to = (uintptr_t)image_vector;

	idt[VECTOR] = (struct gate){(uint16_t)to, 0x10, 0x8e00, (uint16_t)(to >> 16), 0, 0};
	__asm__ volatile("lidt %0" : : "m"(pointer));
	out8(0x21, 0xff); /* no 8259 */
	out8(0xa1, 0xff);
	write_register(LAPIC + 0xf0, 0x1ff);
	write_ioapic(0x11 + 2 * SERIAL_PIN, 0);
	write_ioapic(0x10 + 2 * SERIAL_PIN, LEVEL | VECTOR);
}

static void wait_for(uint32_t count)
{
	while (served < count)
		__asm__ volatile("sti; hlt; cli");
}

static uint32_t number_after(const char *line, const char *name)
{
	uint32_t value = 0;

	for (; *line; line++) {
		uint32_t i = 0;

		while (name[i] && line[i] == name[i])
			i++;
		if (name[i])
			continue;
		for (line += i; *line >= '0' && *line <= '9'; line++)
			value = value * 10 + (uint32_t)(*line - '0');
		return value;
	}
	leave(FAILED + 2);
	return 0;
}

void image_main(uint32_t magic, const uint32_t *info)
{
	const char *line = (const char *)(uintptr_t)info[4];
	uint32_t count = 0;

	if (magic != LOADER_MAGIC || !(info[0] & HAS_COMMAND))
		leave(FAILED);
	if (initialized != 0x600d || served != 0)
		leave(FAILED + 1);
	set_up_interrupts();
	out8(COM1 + 1, 2); /* an interrupt when the transmitter is empty, as it is */
	wait_for(++count);
	for (const char *at = line; *at; at++) {
		out8(COM1, (uint8_t)*at);
		wait_for(++count);
	}
	out8(COM1, '\n');
	wait_for(++count);
	leave(number_after(line, "exit="));
}
