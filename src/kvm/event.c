/* SPDX-License-Identifier: MIT */
#include "kvm/event.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

/* The flag that says not to wait is that of the file, and so everybody's who has it: only the call
 * may say it. Linux before 5.8 knows that of no eventfd. */
int lw_event_take(int fd)
{
	uint64_t count;
	struct iovec into = {.iov_base = &count, .iov_len = sizeof(count)};
	ssize_t got = preadv2(fd, &into, 1, -1, RWF_NOWAIT);

	if (got < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == ESPIPE))
		got = read(fd, &count, sizeof(count));
	if (got >= 0)
		return 1;
	return errno == EAGAIN ? 0 : -errno;
}

int lw_event_tell(int fd)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	const uint64_t one = 1;

	if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT))
		return 0;
	return write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN ? -errno : 0;
}
