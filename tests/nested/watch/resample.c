/* SPDX-License-Identifier: MIT */
/*
 * Usage: resample COUNT. An assigned device's level-triggered interrupt, through the split backend:
 * a device thread signals an eventfd, waits until the guest's EOI has been passed on to its other
 * eventfd, and signals again; a thread serves the eventfds; two vCPUs take the interrupts; and the
 * pin is moved between them all the while. Each signal must be served once. One line of figures;
 * exit status 1 if an interrupt is lost or doubled, 2 if nothing could be run.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "kvm/vm.h"

#define PIN        5
#define VECTOR     0x50  /* and the next one */
#define PATIENCE   20000 /* ms */
#define TAIL_TRIES 100

static struct {
	struct lw_vm vm;
	int trigger, resample;
	uint64_t count;
	atomic_uint_least64_t raised, served, told, moves;
	atomic_bool stop, failed;
} rig;

static void complain(const char *what)
{
	fprintf(stderr, "resample: %s\n", what);
	atomic_store(&rig.failed, true);
	atomic_store(&rig.stop, true);
}

/* The handler has begun, or has ended: each is served by being begun. */
static bool on_event(void *context, unsigned cpu, enum lw_vm_event event, uint32_t value)
{
	(void)context;
	(void)cpu;
	(void)value;
	if (event == LW_VM_SERVICE)
		atomic_fetch_add(&rig.served, 1);
	return event == LW_VM_SERVICE || event == LW_VM_DONE;
}

static void *run_device(void *argument)
{
	(void)argument;
	for (uint64_t n = 0; n < rig.count && !atomic_load(&rig.stop); n++) {
		struct pollfd ready = {.fd = rig.resample, .events = POLLIN};
		eventfd_t times = 0;

		atomic_fetch_add(&rig.raised, 1);
		if (eventfd_write(rig.trigger, 1) < 0)
			complain("cannot signal");
		else if (poll(&ready, 1, PATIENCE) != 1)
			complain("the EOI of an interrupt was lost");
		else if (eventfd_read(rig.resample, &times) < 0 || times != 1)
			complain("one EOI was told twice");
		atomic_fetch_add(&rig.told, times);
	}
	atomic_store(&rig.stop, true);
	return NULL;
}

static void *run_server(void *argument)
{
	struct pollfd ready = {.fd = lw_split_poll_fd(rig.vm.backend), .events = POLLIN};

	(void)argument;
	while (!atomic_load(&rig.stop))
		if (poll(&ready, 1, 10) == 1 && lw_split_serve(rig.vm.backend) < 0)
			complain("cannot serve");
	return NULL;
}

/* As a guest that moves the pin at any moment, its vector too. */
static void move_about(void)
{
	const struct timespec pause = {.tv_nsec = 200000};
	struct lw_reason reason;

	for (unsigned n = 0; !atomic_load(&rig.stop); n++) {
		if (lw_vm_write_rte(&rig.vm, PIN, n % LW_VM_CPUS,
				    (uint8_t)(VECTOR + n / LW_VM_CPUS % 2), &reason) < 0)
			complain(reason.text);
		atomic_fetch_add(&rig.moves, 1);
		nanosleep(&pause, NULL);
	}
}

static int begin(struct lw_reason *reason)
{
	struct lw_kvm kvm;
	int err = lw_kvm_open(&kvm, "/dev/kvm", &lw_kvm_host, reason);

	if (err < 0)
		return err;
	if (!kvm.split)
		err = lw_reason_set(reason, -EPROTO, "this KVM offers no split irqchip");
	if (err == 0)
		err = lw_vm_create(&rig.vm, &kvm, LW_VM_LAPWING, reason);
	close(kvm.fd);
	if (err == 0)
		err = lw_vm_write_rte(&rig.vm, PIN, 0, VECTOR, reason);
	if (err < 0)
		return err;
	rig.trigger = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig.resample = eventfd(0, EFD_CLOEXEC);
	if (rig.trigger < 0 || rig.resample < 0)
		return lw_reason_set(reason, -errno, "cannot make an eventfd");
	err = lw_split_attach(rig.vm.backend, PIN, 0, rig.trigger, rig.resample);
	rig.vm.on_event = on_event;
	return err < 0 ? lw_reason_set(reason, err, "cannot attach the eventfds") : 0;
}

static int run(void)
{
	pthread_t device, server;

	lw_vm_resume(&rig.vm, 0);
	if (pthread_create(&server, NULL, run_server, NULL) ||
	    pthread_create(&device, NULL, run_device, NULL)) {
		fputs("resample: cannot start a thread\n", stderr);
		return 2;
	}
	move_about();
	pthread_join(device, NULL);
	pthread_join(server, NULL);
	/* Where KVM ends an interrupt as it delivers it, the last handler may still be to come. */
	for (int n = 0; n < TAIL_TRIES && atomic_load(&rig.served) < rig.count; n++)
		usleep(10000);
	return atomic_load(&rig.failed) || atomic_load(&rig.served) != rig.count ||
	       atomic_load(&rig.told) != rig.count;
}

int main(int argc, char **argv)
{
	struct lw_split_counters c;
	struct lw_reason reason;
	int status;

	rig.count = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
	if (!rig.count) {
		fputs("Usage: resample COUNT\n", stderr);
		return 2;
	}
	if (begin(&reason) < 0) {
		fprintf(stderr, "resample: %s\n", reason.text);
		return 2;
	}
	status = run();
	c = lw_split_counters(rig.vm.backend);
	printf("raised %" PRIu64 " served %" PRIu64 " told %" PRIu64 " moves %" PRIu64
	       " commits %" PRIu64 " deferred %" PRIu64 " eoi_exits %" PRIu64
	       " superfluous %" PRIu64 "\n",
	       atomic_load(&rig.raised), atomic_load(&rig.served), atomic_load(&rig.told),
	       atomic_load(&rig.moves), c.commits, c.deferred, c.eoi_exits, c.superfluous);
	return lw_vm_destroy(&rig.vm) ? status : 2;
}
