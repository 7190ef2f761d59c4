/* SPDX-License-Identifier: MIT */
/*
 * virtio-blk in its legacy form (virtio 1.0, 4.1.4.8 and 5.2), one queue, no MSI-X: so it
 * interrupts by a level-triggered pin. A thread serves the queue. Guest to thread: an eventfd that
 * KVM signals at a write of QUEUE_NOTIFY (KVM_IOEVENTFD). Thread to guest: an eventfd that raises
 * the line; the EOI lowers it and signals a third one, at which the thread looks whether it has to
 * raise it again.
 */
#include "vmm.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR     512u
#define BUILT_IN   (1u << 20) /* bytes of the disk that is there without --disk */
#define QUEUE_SIZE 64u
#define PAGE       4096u
#define MAX_CHAIN  QUEUE_SIZE
#define REGISTERS  32u

enum {
	HOST_FEATURES = 0x00,
	GUEST_FEATURES = 0x04,
	QUEUE_PFN = 0x08,
	QUEUE_NUM = 0x0c,
	QUEUE_SELECT = 0x0e,
	QUEUE_NOTIFY = 0x10,
	STATUS = 0x12,
	ISR = 0x13,
	CAPACITY = 0x14
};

#define ISR_QUEUE          1u
#define DESC_NEXT          1u
#define DESC_WRITE         2u
#define AVAIL_NO_INTERRUPT 1u

enum { REQUEST_IN = 0, REQUEST_OUT = 1, REQUEST_ID = 8 };
enum { STATUS_OK = 0, STATUS_ERROR = 1, STATUS_UNSUPPORTED = 2 };

struct desc {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

struct request_header {
	uint32_t type, reserved;
	uint64_t sector;
};

/* A chain of descriptors, checked and mapped. */
struct chain {
	struct {
		uint8_t *bytes;
		uint32_t length;
		bool writable;
	} part[MAX_CHAIN];
	unsigned parts;
};

struct tv_disk {
	uint8_t *bytes;
	size_t size;
	pthread_t thread;
	bool started;
	int notify, trigger, resample;
	_Atomic(bool) stopping;
	_Atomic(uint32_t) isr, select, status;
	_Atomic(uint64_t) queue; /* its PFN, and above it how often the guest has placed it */
	/* The thread's. */
	uint16_t seen;       /* of the available ring */
	uint64_t seen_queue; /* the one that it is of */
	_Atomic(uint64_t) requests, raised, resampled, acknowledged;
};

/* The queue as the guest laid it out, or false if it has none, or not in RAM. */
static bool rings(struct tv *vm, struct desc **desc, uint16_t **avail, uint8_t **used)
{
	const size_t table = QUEUE_SIZE * sizeof(struct desc), ring = 6 + 2 * QUEUE_SIZE;
	const size_t used_at = (table + ring + PAGE - 1) / PAGE * PAGE;
	uint64_t base = (uint64_t)(uint32_t)vm->disk->seen_queue * PAGE;
	uint8_t *memory = tv_memory(vm, base, used_at + 6 + 8 * QUEUE_SIZE);

	if (!base || !memory)
		return false;
	*desc = (void *)memory;
	*avail = (void *)(memory + table);
	*used = memory + used_at;
	return true;
}

/* Read once: the guest may write it between a check and a use. */
static struct desc fetch(const volatile struct desc *d)
{
	return (struct desc){d->address, d->length, d->flags, d->next};
}

static bool walk(struct tv *vm, const struct desc *table, uint16_t head, struct chain *chain)
{
	uint16_t at = head;

	for (chain->parts = 0; chain->parts < MAX_CHAIN; chain->parts++) {
		struct desc d;

		if (at >= QUEUE_SIZE)
			return false;
		d = fetch(&table[at]);
		chain->part[chain->parts].bytes = tv_memory(vm, d.address, d.length);
		chain->part[chain->parts].length = d.length;
		chain->part[chain->parts].writable = d.flags & DESC_WRITE;
		if (!chain->part[chain->parts].bytes)
			return false;
		if (!(d.flags & DESC_NEXT)) {
			chain->parts++;
			return true;
		}
		at = d.next;
	}
	return false;
}

static uint8_t transfer(struct tv_disk *disk, const struct request_header *request,
			struct chain *chain, uint32_t *written)
{
	uint64_t at = request->sector * SECTOR;

	if (request->sector > disk->size / SECTOR)
		return STATUS_ERROR;
	for (unsigned i = 1; i + 1 < chain->parts; i++) {
		uint32_t length = chain->part[i].length;

		if (length > disk->size - at ||
		    chain->part[i].writable != (request->type == REQUEST_IN))
			return STATUS_ERROR;
		if (request->type == REQUEST_IN) {
			memcpy(chain->part[i].bytes, disk->bytes + at, length);
			*written += length;
		} else {
			memcpy(disk->bytes + at, chain->part[i].bytes, length);
		}
		at += length;
	}
	return STATUS_OK;
}

/* Returns how much was written into the guest's buffers. */
static uint32_t serve(struct tv_disk *disk, struct chain *chain)
{
	struct request_header request;
	uint32_t written = 0;
	uint8_t status;

	if (chain->parts < 2 || chain->part[0].length < sizeof(request) ||
	    !chain->part[chain->parts - 1].writable || !chain->part[chain->parts - 1].length)
		return 0;
	memcpy(&request, chain->part[0].bytes, sizeof(request));
	if (request.type == REQUEST_IN || request.type == REQUEST_OUT)
		status = transfer(disk, &request, chain, &written);
	else
		status = STATUS_UNSUPPORTED;
	*chain->part[chain->parts - 1].bytes = status;
	disk->requests++;
	return written + 1;
}

static void signal_eventfd(int fd)
{
	uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void drain_eventfd(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

static void raise_line(struct tv_disk *disk)
{
	disk->raised++;
	signal_eventfd(disk->trigger);
}

/* Is there a request? None of a ring that is broken, or the guest could have us serve for ever. */
static bool available(const struct tv_disk *disk, const uint16_t *avail)
{
	uint16_t waiting = (uint16_t)(__atomic_load_n(&avail[1], __ATOMIC_ACQUIRE) - disk->seen);

	return waiting && waiting <= QUEUE_SIZE && !disk->stopping &&
	       disk->queue == disk->seen_queue;
}

void tv_disk_serve(struct tv *vm)
{
	struct tv_disk *disk = vm->disk;
	uint64_t queue = disk->queue;
	struct desc *desc;
	uint16_t *avail;
	uint8_t *used;
	bool done = false;

	if (disk->seen_queue != queue) {
		disk->seen_queue = queue;
		disk->seen = 0;
	}
	if (!rings(vm, &desc, &avail, &used))
		return;
	while (available(disk, avail)) {
		uint16_t head =
			__atomic_load_n(&avail[2 + disk->seen % QUEUE_SIZE], __ATOMIC_RELAXED);
		uint16_t slot = __atomic_load_n((uint16_t *)(void *)(used + 2), __ATOMIC_RELAXED);
		uint32_t element[2] = {head, 0};
		struct chain chain;

		if (walk(vm, desc, head, &chain))
			element[1] = serve(disk, &chain);
		memcpy(used + 4 + 8 * (slot % QUEUE_SIZE), element, sizeof(element));
		__atomic_store_n((uint16_t *)(void *)(used + 2), (uint16_t)(slot + 1),
				 __ATOMIC_RELEASE);
		disk->seen++;
		done = true;
	}
	/* The used index must be seen before the flag is looked at. */
	atomic_thread_fence(memory_order_seq_cst);
	if (done && !(avail[0] & AVAIL_NO_INTERRUPT)) {
		atomic_fetch_or(&disk->isr, ISR_QUEUE);
		raise_line(disk);
	}
}

static void *disk_thread(void *argument)
{
	struct tv *vm = argument;
	struct tv_disk *disk = vm->disk;
	struct pollfd fds[] = {{disk->notify, POLLIN, 0}, {disk->resample, POLLIN, 0}};

	while (!disk->stopping) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents & POLLIN) {
			drain_eventfd(disk->resample);
			disk->resampled++;
			if (disk->isr)
				raise_line(disk);
		}
		if (fds[0].revents & POLLIN) {
			drain_eventfd(disk->notify);
			tv_disk_serve(vm);
		}
	}
	return NULL;
}

static uint32_t read_register(struct tv_disk *disk, unsigned offset)
{
	uint32_t isr;

	switch (offset) {
	case QUEUE_PFN:
		return disk->select == 0 ? (uint32_t)disk->queue : 0;
	case QUEUE_NUM:
		return disk->select == 0 ? QUEUE_SIZE : 0;
	case QUEUE_SELECT:
		return disk->select;
	case STATUS:
		return disk->status;
	case ISR:
		isr = atomic_exchange(&disk->isr, 0);
		if (isr)
			disk->acknowledged++;
		return isr;
	default: /* no features; of the configuration, a guest reads single bytes too */
		if (offset < CAPACITY || offset >= CAPACITY + 8)
			return 0;
		return (uint32_t)(disk->size / SECTOR >> (offset - CAPACITY) * 8);
	}
}

static void place_queue(struct tv_disk *disk, uint32_t pfn)
{
	disk->queue = ((disk->queue >> 32) + 1) << 32 | pfn;
}

static void write_register(struct tv_disk *disk, unsigned offset, uint32_t value)
{
	switch (offset) {
	case QUEUE_PFN:
		if (disk->select == 0)
			place_queue(disk, value);
		break;
	case QUEUE_SELECT:
		disk->select = value & 0xffff;
		break;
	case QUEUE_NOTIFY: /* where KVM does not take it */
		signal_eventfd(disk->notify);
		break;
	case STATUS:
		disk->status = value & 0xff;
		if (disk->status == 0) {
			place_queue(disk, 0);
			disk->isr = 0;
		}
		break;
	default:
		break;
	}
}

bool tv_disk_port(struct tv *vm, uint16_t port, bool write, uint8_t *data, unsigned size)
{
	uint32_t value = 0;

	if (!vm->disk || port < TV_PORT_DISK || port >= TV_PORT_DISK + REGISTERS)
		return false;
	if (write) {
		memcpy(&value, data, size);
		write_register(vm->disk, port - TV_PORT_DISK, value);
	} else {
		value = read_register(vm->disk, port - TV_PORT_DISK);
		memcpy(data, &value, size);
	}
	return true;
}

static int make_content(struct tv *vm, struct tv_disk *disk)
{
	if (vm->options.disk) {
		disk->bytes = (void *)tv_read_file(vm, vm->options.disk, "disk", &disk->size);
		return disk->bytes ? 0 : -EINVAL;
	}
	disk->size = BUILT_IN;
	disk->bytes = calloc(1, disk->size);
	if (!disk->bytes)
		return tv_error(vm, -ENOMEM, "no memory for the disk");
	/* Each eight bytes say where they stand, so that a guest can check what it reads. */
	for (uint64_t at = 0; at < disk->size; at += sizeof(at))
		memcpy(disk->bytes + at, &at, sizeof(at));
	return 0;
}

static int connect(struct tv *vm, struct tv_disk *disk)
{
	struct kvm_ioeventfd kick = {
		.addr = TV_PORT_DISK + QUEUE_NOTIFY, .len = 2, .flags = KVM_IOEVENTFD_FLAG_PIO};
	int err;

	disk->notify = eventfd(0, EFD_CLOEXEC);
	disk->trigger = eventfd(0, EFD_CLOEXEC);
	disk->resample = eventfd(0, EFD_CLOEXEC);
	if (disk->notify < 0 || disk->trigger < 0 || disk->resample < 0)
		return tv_error(vm, -errno, "cannot make the disk's eventfds");
	kick.fd = disk->notify;
	/* Where KVM can't do it, the port write comes to write_register(). */
	(void)ioctl(vm->fd, KVM_IOEVENTFD, &kick);
	err = vm->irq->attach(vm, TV_IRQ_DISK, disk->trigger, disk->resample);
	if (err < 0)
		return tv_error(vm, err, "cannot attach the disk's eventfds to its pin");
	return 0;
}

int tv_disk_create(struct tv *vm)
{
	struct tv_disk *disk = calloc(1, sizeof(*disk));
	int err;

	if (!disk)
		return tv_error(vm, -ENOMEM, "no memory for the disk");
	disk->notify = disk->trigger = disk->resample = -1;
	vm->disk = disk;
	err = make_content(vm, disk);
	if (err == 0)
		err = connect(vm, disk);
	if (err < 0)
		return err;
	err = pthread_create(&disk->thread, NULL, disk_thread, vm);
	if (err != 0)
		return tv_error(vm, -err, "cannot start the disk's thread");
	disk->started = true;
	return 0;
}

void tv_disk_destroy(struct tv *vm)
{
	struct tv_disk *disk = vm->disk;

	if (!disk)
		return;
	if (disk->started) {
		disk->stopping = true;
		signal_eventfd(disk->notify);
		pthread_join(disk->thread, NULL);
	}
	if (disk->notify >= 0)
		close(disk->notify);
	if (disk->trigger >= 0)
		close(disk->trigger);
	if (disk->resample >= 0)
		close(disk->resample);
	free(disk->bytes);
	free(disk);
	vm->disk = NULL;
}

void tv_disk_report(struct tv *vm, void *report)
{
	struct tv_disk *disk = vm->disk;

	tv_count(report, "disk_requests", disk->requests, "the disk served");
	tv_count(report, "disk_interrupts", disk->acknowledged, "the guest found it asking");
	tv_count(report, "disk_signals", disk->raised, "signals of its eventfd");
	tv_count(report, "disk_resamples", disk->resampled, "EOIs that it was told of");
}
