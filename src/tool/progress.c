/* SPDX-License-Identifier: MIT */
#include "tool/tool.h"

#include <time.h>
#include <unistd.h>

enum {
	QUIET_MS = 2000,
	REDRAW_MS = 100,
	BAR_WIDTH = 40,
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void lw_progress_start(struct lw_progress *p, const char *label, uint64_t total)
{
	*p = (struct lw_progress){
		.label = label,
		.total = total,
		.started_ms = now_ms(),
		.terminal = isatty(STDERR_FILENO) == 1,
	};
}

void lw_progress_update(struct lw_progress *p, uint64_t done)
{
	uint64_t now;
	int filled;

	if (!p->terminal || p->total == 0)
		return;
	now = now_ms();
	if (now - p->started_ms < QUIET_MS || now - p->drawn_ms < REDRAW_MS)
		return;
	p->drawn = true;
	p->drawn_ms = now;
	if (done > p->total)
		done = p->total;
	filled = (int)((double)done / (double)p->total * BAR_WIDTH);
	fprintf(stderr, "\r%s [%.*s%*s] %3d %%", p->label, filled,
		"########################################", BAR_WIDTH - filled, "",
		(int)((double)done / (double)p->total * 100));
	fflush(stderr);
}

void lw_progress_end(struct lw_progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}
