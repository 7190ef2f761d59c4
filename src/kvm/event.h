/* SPDX-License-Identifier: MIT */
/* Eventfds whose other end may be another process, which must not be able to stop us. */
#ifndef LAPWING_KVM_EVENT_H
#define LAPWING_KVM_EVENT_H

#include <stdbool.h>

/* What one backend needs for them. */
struct lw_events {
	int own;           /* an eventfd that stays empty, or -1 */
	unsigned long aio; /* a context of the kernel's, or 0 */
};

#pragma GCC visibility push(hidden)

void lw_events_init(struct lw_events *e);
void lw_events_close(struct lw_events *e);
/* Before the first of the calls below; again it does nothing. 0, or an errno. */
int lw_events_open(struct lw_events *e);

/* -EBADF; -EINVAL for what can't be an eventfd. */
int lw_event_check(int fd);
/* Takes the signals of one that is readable: 1; 0 if somebody else has taken them; or an errno. */
int lw_event_take(const struct lw_events *e, int fd);
/* Signals it. One that is full is signalled as it is. 0, or an errno. */
int lw_event_tell(const struct lw_events *e, int fd);

#pragma GCC visibility pop

#endif
