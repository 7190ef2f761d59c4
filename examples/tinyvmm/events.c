/* SPDX-License-Identifier: MIT */
/* The thread that serves a backend's eventfds. */
#include "vmm.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *serve_events(void *argument)
{
	struct tv_events *events = argument;
	struct pollfd fds[] = {{events->poll_fd, POLLIN, 0}, {events->stop_fd, POLLIN, 0}};

	while (!(fds[1].revents & POLLIN)) {
		if (poll(fds, 2, -1) > 0 && (fds[0].revents & POLLIN))
			events->serve(events->backend);
	}
	return NULL;
}

int tv_events_start(struct tv_events *events)
{
	int err;

	events->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (events->stop_fd < 0)
		return -errno;
	err = pthread_create(&events->thread, NULL, serve_events, events);
	if (err == 0)
		events->started = true;
	else
		close(events->stop_fd);
	return -err;
}

void tv_events_stop(struct tv_events *events)
{
	uint64_t one = 1;

	if (!events->started)
		return;
	while (write(events->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(events->thread, NULL);
	close(events->stop_fd);
	events->started = false;
}
