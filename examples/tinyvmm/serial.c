/* SPDX-License-Identifier: MIT */
/* COM1, a 16550A that sends at once. It has nobody to receive from. */
#include "vmm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COM1  0x3f8
#define PORTS 8

enum { DATA = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

#define IER_THRE     0x02 /* interrupt when the transmitter is empty */
#define IIR_NONE     0x01
#define IIR_THRE     0x02
#define IIR_FIFO     0xc0
#define LCR_DLAB     0x80
#define MCR_LOOP     0x10
#define LSR_READY    0x60 /* the transmitter and its holding register are empty */
#define LSR_RECEIVED 0x01
#define MSR_CONNECTED                          \
	0xb0 /* carrier, data set ready, clear \
		to send */

struct tv_serial {
	pthread_mutex_t lock;
	uint8_t ier, fcr, lcr, mcr, scr;
	uint16_t divisor;
	bool empty_pending; /* the transmitter became empty, and nobody has read so in IIR */
	bool looped;        /* a byte sent to itself */
	uint8_t loop;
	bool line;
};

int tv_serial_create(struct tv *vm)
{
	vm->serial = calloc(1, sizeof(*vm->serial));
	if (!vm->serial)
		return -ENOMEM;
	pthread_mutex_init(&vm->serial->lock, NULL);
	vm->serial->divisor = 1;
	return 0;
}

void tv_serial_destroy(struct tv *vm)
{
	if (vm->serial)
		pthread_mutex_destroy(&vm->serial->lock);
	free(vm->serial);
}

static void update(struct tv *vm)
{
	struct tv_serial *s = vm->serial;
	bool line = (s->ier & IER_THRE) && s->empty_pending;

	if (line == s->line)
		return;
	s->line = line;
	vm->irq->isa_line(vm, TV_IRQ_SERIAL, line);
}

static void transmit(struct tv_serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP) {
		s->loop = byte;
		s->looped = true;
	} else {
		putchar(byte);
		if (byte == '\n')
			fflush(stdout);
	}
	s->empty_pending = true;
}

static void write_register(struct tv_serial *s, unsigned offset, uint8_t value)
{
	switch (offset) {
	case DATA:
		if (s->lcr & LCR_DLAB)
			s->divisor = (uint16_t)((s->divisor & 0xff00) | value);
		else
			transmit(s, value);
		break;
	case IER:
		if (s->lcr & LCR_DLAB) {
			s->divisor = (uint16_t)((s->divisor & 0xff) | value << 8);
			break;
		}
		/* It is empty already: to ask for the interrupt is to get one. */
		if ((value & IER_THRE) && !(s->ier & IER_THRE))
			s->empty_pending = true;
		s->ier = value & 0x0f;
		break;
	case IIR:
		s->fcr = value;
		break;
	case LCR:
		s->lcr = value;
		break;
	case MCR:
		s->mcr = value & 0x1f;
		break;
	case SCR:
		s->scr = value;
		break;
	default:
		break;
	}
}

static uint8_t read_iir(struct tv_serial *s)
{
	uint8_t fifo = (s->fcr & 1) ? IIR_FIFO : 0;

	if (!(s->ier & IER_THRE) || !s->empty_pending)
		return fifo | IIR_NONE;
	s->empty_pending = false;
	return fifo | IIR_THRE;
}

/* In loopback the modem's inputs are its outputs. */
static uint8_t modem_status(const struct tv_serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_CONNECTED;
	return (uint8_t)((s->mcr & 0x02) << 3 | (s->mcr & 0x01) << 5 | (s->mcr & 0x0c) << 4);
}

static uint8_t read_register(struct tv_serial *s, unsigned offset)
{
	switch (offset) {
	case DATA:
		if (s->lcr & LCR_DLAB)
			return (uint8_t)s->divisor;
		s->looped = false;
		return s->loop;
	case IER:
		return (s->lcr & LCR_DLAB) ? (uint8_t)(s->divisor >> 8) : s->ier;
	case IIR:
		return read_iir(s);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		return LSR_READY | (s->looped ? LSR_RECEIVED : 0);
	case MSR:
		return modem_status(s);
	default:
		return s->scr;
	}
}

bool tv_serial_port(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size)
{
	struct tv_serial *s = vm->serial;

	if (port < COM1 || port >= COM1 + PORTS)
		return false;
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < size && port + i < COM1 + PORTS; i++) {
		if (write)
			write_register(s, port + i - COM1, data[i]);
		else
			data[i] = read_register(s, port + i - COM1);
	}
	update(vm);
	pthread_mutex_unlock(&s->lock);
	return true;
}
