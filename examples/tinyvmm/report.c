/* SPDX-License-Identifier: MIT */
#include "vmm.h"

#include <stdlib.h>
#include <string.h>

struct report {
	bool json;
	const char *before; /* what separates it from the last counter */
};

const char *tv_end_name(enum tv_end end)
{
	static const char *const names[] = {"running",   "power-off", "reset",
					    "exit-port", "timeout",   "broken"};

	return names[end];
}

void tv_count(void *report, const char *name, uint64_t value, const char *what)
{
	struct report *r = report;

	if (r->json)
		printf("%s    \"%s\": %llu", r->before, name, (unsigned long long)value);
	else
		fprintf(stderr, "  %-18s %12llu  %s\n", name, (unsigned long long)value, what);
	r->before = ",\n";
}

static uint64_t exits(struct tv *vm, int reason)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < vm->options.cpus; i++) {
		for (int k = 0; k < TV_EXIT_REASONS; k++)
			sum += reason < 0 || reason == k ? vm->cpu[i].exits[k] : 0;
	}
	return sum;
}

void tv_report(struct tv *vm)
{
	static const char *const modes[] = {"kernel", "split", "user"};
	struct report report = {vm->options.json, ""};
	const char *mode = modes[vm->options.irqchip], *end = tv_end_name(vm->end);
	double seconds = (double)vm->milliseconds / 1000;

	if (report.json)
		printf("{\n  \"irqchip\": \"%s\",\n  \"cpus\": %u,\n  \"end\": \"%s\",\n"
		       "  \"seconds\": %.3f,\n  \"counters\": {\n",
		       mode, vm->options.cpus, end, seconds);
	else
		fprintf(stderr, "\n%u vCPUs, irqchip %s, %s after %.1f s\n", vm->options.cpus, mode,
			end, seconds);
	tv_count(&report, "exits", exits(vm, -1), "exits that tinyvmm itself served");
	tv_count(&report, "exits_port", exits(vm, KVM_EXIT_IO), "… of ports");
	tv_disk_report(vm, &report);
	vm->irq->report(vm, &report);
	if (report.json)
		printf("\n  }\n}\n");
}
