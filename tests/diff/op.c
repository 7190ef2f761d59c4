/* SPDX-License-Identifier: MIT */
/* Operations as lines of text. */
#include <inttypes.h>
#include <string.h>

#include "diff.h"

static const char *const names[OP_KINDS] = {
	[OP_PAGE_READ] = "page-read",
	[OP_PAGE_WRITE] = "page-write",
	[OP_IO_READ] = "ioapic-read",
	[OP_IO_WRITE] = "ioapic-write",
	[OP_MSR_READ] = "rdmsr",
	[OP_MSR_WRITE] = "wrmsr",
	[OP_PORT_READ] = "in",
	[OP_PORT_WRITE] = "out",
	[OP_CR8_READ] = "read-cr8",
	[OP_CR8_WRITE] = "write-cr8",
	[OP_WINDOW] = "window",
	[OP_LINE] = "line",
	[OP_MSI] = "msi",
	[OP_ROUTE] = "route",
};

void diff_print(FILE *to, const struct diff_op *op)
{
	fprintf(to, "%u %-12s %2u 0x%08" PRIx32 " 0x%" PRIx64 "\n", op->cpu, names[op->kind],
		op->width, op->address, op->value);
}

bool diff_parse(const char *line, struct diff_op *op)
{
	char name[16];
	unsigned cpu, width;

	if (sscanf(line, "%u %15s %u %" SCNx32 " %" SCNx64, &cpu, name, &width, &op->address,
		   &op->value) != 5)
		return false;
	for (unsigned n = 0; n < OP_KINDS; n++) {
		if (strcmp(name, names[n]) != 0)
			continue;
		op->kind = (enum diff_op_kind)n;
		op->cpu = cpu;
		op->width = width;
		return cpu < DIFF_CPUS;
	}
	return false;
}
