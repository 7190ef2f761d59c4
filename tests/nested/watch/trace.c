/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACEFS "/sys/kernel/tracing/"
#define EVENTS  TRACEFS "events/"

static const char *const events[] = {
	EVENTS "kvm/kvm_eoi/enable",
	EVENTS "kvm/kvm_ack_irq/enable",
	EVENTS "kvm/kvm_userspace_exit/enable",
	EVENTS "kvm/kvm_exit/enable",
	EVENTS "lapwing/ioapic_eoi/enable",
};

#define EVENT_COUNT (sizeof(events) / sizeof(events[0]))

static int put(const char *path, const char *text, int flags)
{
	size_t size = strlen(text);
	int fd = open(path, O_WRONLY | flags);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, size) != (ssize_t)size)
		err = -errno;
	close(fd);
	return err;
}

/* The I/O APIC's EOI handler has no trace event: a probe at its entry, vector being argument 2. */
int trace_open(void)
{
	int err = put(TRACEFS "kprobe_events",
		      "p:lapwing/ioapic_eoi kvm_ioapic_update_eoi vector=%si:u32\n", O_APPEND);

	if (err == 0)
		err = put(TRACEFS "buffer_size_kb", "4096", 0);
	if (err == 0)
		err = put(TRACEFS "tracing_on", "0", 0);
	for (size_t i = 0; err == 0 && i < EVENT_COUNT; i++)
		err = put(events[i], "1", 0);
	return err;
}

void trace_close(void)
{
	for (size_t i = 0; i < EVENT_COUNT; i++)
		(void)put(events[i], "0", 0);
	(void)put(TRACEFS "kprobe_events", "-:lapwing/ioapic_eoi\n", O_APPEND);
	(void)put(TRACEFS "tracing_on", "1", 0);
}

int trace_start(void)
{
	int err = put(TRACEFS "trace", "", O_TRUNC);

	return err == 0 ? put(TRACEFS "tracing_on", "1", 0) : err;
}

static bool has(const char *line, const char *event, const char *detail)
{
	const char *at = strstr(line, event);

	return at && strstr(at, detail);
}

static void count_line(const char *line, uint8_t vector, struct trace_counts *counts)
{
	char eoi[32], ioapic[32];

	snprintf(eoi, sizeof(eoi), " vector %u\n", vector);
	snprintf(ioapic, sizeof(ioapic), " vector=%u\n", vector);
	if (has(line, " kvm_eoi:", eoi))
		counts->eois++;
	else if (has(line, " ioapic_eoi:", ioapic))
		counts->ioapic_eois++;
	else if (has(line, " kvm_ack_irq:", "IOAPIC"))
		counts->acks++;
	else if (has(line, " kvm_userspace_exit:", "KVM_EXIT_IOAPIC_EOI"))
		counts->userspace_exits++;
	else if (has(line, " kvm_exit:", "reason EOI_INDUCED"))
		counts->eoi_induced++;
	else if (strstr(line, "EVENTS DROPPED") || strstr(line, "LOST"))
		counts->lost_events++;
}

int trace_stop(uint8_t vector, struct trace_counts *counts)
{
	int err = put(TRACEFS "tracing_on", "0", 0);
	char *line = NULL;
	size_t size = 0;
	FILE *trace;

	*counts = (struct trace_counts){0};
	if (err < 0)
		return err;
	trace = fopen(TRACEFS "trace", "r");
	if (!trace)
		return -errno;
	while (getline(&line, &size, trace) > 0)
		count_line(line, vector, counts);
	free(line);
	fclose(trace);
	return 0;
}
