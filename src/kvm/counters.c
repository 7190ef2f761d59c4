/* SPDX-License-Identifier: MIT */
#include "kvm/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int read_all(int fd, void *buffer, size_t size, uint64_t at)
{
	ssize_t got = pread(fd, buffer, size, (off_t)at);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -EIO;
}

/* Looks both counters up in the table of descriptors; 0 is no offset of data. */
static void find_counters(struct lw_vm_counters *counters, const struct kvm_stats_header *header,
			  const char *descriptors, size_t size)
{
	for (uint32_t i = 0; i < header->num_desc; i++) {
		const char *at = descriptors + i * size;
		struct kvm_stats_desc desc;
		const char *name = at + sizeof(desc);

		memcpy(&desc, at, sizeof(desc));
		if (strncmp(name, "exits", header->name_size) == 0)
			counters->exits_at = header->data_offset + desc.offset;
		else if (strncmp(name, "irq_exits", header->name_size) == 0)
			counters->irq_exits_at = header->data_offset + desc.offset;
	}
}

int lw_vm_counters_open(struct lw_vm_counters *counters, int vcpu_fd)
{
	struct kvm_stats_header header;
	char *descriptors;
	size_t size;
	int err;

	*counters = (struct lw_vm_counters){.fd = ioctl(vcpu_fd, KVM_GET_STATS_FD, 0)};
	if (counters->fd < 0)
		return -errno;
	err = read_all(counters->fd, &header, sizeof(header), 0);
	if (err < 0)
		return err;
	size = sizeof(struct kvm_stats_desc) + header.name_size;
	descriptors = calloc(header.num_desc, size);
	if (!descriptors)
		return -ENOMEM;
	err = read_all(counters->fd, descriptors, header.num_desc * size, header.desc_offset);
	if (err == 0)
		find_counters(counters, &header, descriptors, size);
	free(descriptors);
	return err;
}

int lw_vm_counters_exits(const struct lw_vm_counters *counters, uint64_t *exits)
{
	uint64_t all, irq = 0;
	int err;

	if (counters->fd < 0 || counters->exits_at == 0)
		return -ENOTSUP;
	err = read_all(counters->fd, &all, sizeof(all), counters->exits_at);
	if (err == 0 && counters->irq_exits_at != 0)
		err = read_all(counters->fd, &irq, sizeof(irq), counters->irq_exits_at);
	if (err == 0)
		*exits = all - irq;
	return err;
}

void lw_vm_counters_close(struct lw_vm_counters *counters)
{
	if (counters->fd >= 0)
		close(counters->fd);
	counters->fd = -1;
}
