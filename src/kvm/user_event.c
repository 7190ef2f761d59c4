/* SPDX-License-Identifier: MIT */
#include "kvm/user_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

static int find_slot(struct lw_user *user, uint32_t gsi, uint32_t source)
{
	int found = -ENOSPC;

	for (int i = LW_USER_EVENTFDS - 1; i >= 0; i--) {
		if (!user->event[i].used)
			found = i;
		else if (user->event[i].gsi == gsi && user->event[i].source == source)
			return -EBUSY;
	}
	return found;
}

static int take_slot(struct lw_user *user, uint32_t slot, int trigger, int resample)
{
	struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = slot};
	struct user_eventfd *event = &user->event[slot];
	int err = lw_event_check(trigger);

	if (err == 0)
		err = lw_event_check(resample);
	if (err == 0)
		err = lw_events_open(&user->events);
	if (err < 0)
		return err;
	event->trigger = duplicate(trigger);
	if (event->trigger < 0)
		return event->trigger;
	event->resample = duplicate(resample);
	if (event->resample < 0) {
		close(event->trigger);
		return event->resample;
	}
	if (epoll_ctl(user->epoll, EPOLL_CTL_ADD, event->trigger, &wanted) < 0) {
		err = -errno;
		close(event->trigger);
		close(event->resample);
		return err;
	}
	event->used = true;
	return 0;
}

int lw_user_attach(struct lw_user *user, uint32_t gsi, uint32_t source, int trigger, int resample)
{
	int slot, err;

	if (gsi >= user->config.pins || source >= LW_IOAPIC_MAX_SOURCES)
		return -EINVAL;
	pthread_mutex_lock(&user->event_lock);
	slot = find_slot(user, gsi, source);
	err = slot;
	if (slot >= 0) {
		user->event[slot].gsi = gsi;
		user->event[slot].source = source;
		err = take_slot(user, (uint32_t)slot, trigger, resample);
	}
	pthread_mutex_unlock(&user->event_lock);
	return err < 0 ? err : lw_ioapic_notify(lw_chip_ioapic(user->chip, 0), gsi, true);
}

static struct user_eventfd *find_event(struct lw_user *user, uint32_t gsi, uint32_t source,
				       bool any_source)
{
	for (unsigned i = 0; i < LW_USER_EVENTFDS; i++) {
		struct user_eventfd *event = &user->event[i];

		if (event->used && event->gsi == gsi && (any_source || event->source == source))
			return event;
	}
	return NULL;
}

int lw_user_detach(struct lw_user *user, uint32_t gsi, uint32_t source)
{
	struct user_eventfd *event;
	bool others;

	pthread_mutex_lock(&user->event_lock);
	event = find_event(user, gsi, source, false);
	if (event) {
		event->used = false;
		(void)epoll_ctl(user->epoll, EPOLL_CTL_DEL, event->trigger, NULL);
		close(event->trigger);
		close(event->resample);
	}
	others = find_event(user, gsi, source, true);
	pthread_mutex_unlock(&user->event_lock);
	if (!event)
		return -ENOENT;
	if (!others && !user->config.resample)
		(void)lw_ioapic_notify(lw_chip_ioapic(user->chip, 0), gsi, false);
	return lw_chip_line(user->chip, gsi, source, false);
}

int lw_user_poll_fd(const struct lw_user *user)
{
	return user->epoll;
}

int lw_user_serve(struct lw_user *user)
{
	struct epoll_event ready[LW_USER_EVENTFDS];
	int count = epoll_wait(user->epoll, ready, LW_USER_EVENTFDS, 0), served = 0;

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		const struct user_eventfd *event = &user->event[ready[i].data.u32];

		if (lw_event_take(&user->events, event->trigger) <= 0)
			continue;
		(void)lw_chip_line(user->chip, event->gsi, event->source, true);
		served++;
	}
	return served;
}

void user_event_wire(struct lw_user *user)
{
	for (unsigned i = 0; i < LW_USER_EVENTFDS; i++) {
		const struct user_eventfd *event = &user->event[i];

		if (event->used)
			(void)lw_ioapic_notify(lw_chip_ioapic(user->chip, 0), event->gsi, true);
	}
}

/* Lowered first, then told: a signal that follows raises the line again. */
void user_event_resample(struct lw_user *user, uint32_t gsi)
{
	for (unsigned i = 0; i < LW_USER_EVENTFDS; i++) {
		const struct user_eventfd *event = &user->event[i];

		if (!event->used || event->gsi != gsi)
			continue;
		(void)lw_chip_line(user->chip, gsi, event->source, false);
		(void)lw_event_tell(&user->events, event->resample);
	}
}
