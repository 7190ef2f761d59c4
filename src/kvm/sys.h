/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_KVM_SYS_H
#define LAPWING_KVM_SYS_H

#include <lapwing/kvm.h>
#include <stdbool.h>

/* Why something could not be done, for people: one line without a full stop. */
struct lw_reason {
	char text[200];
};

/* Writes the reason, with strerror(-err) after it when err is not -EPROTO, and returns err. */
int lw_reason_set(struct lw_reason *reason, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct lw_kvm {
	int fd;
	bool split;    /* the kernel offers a split irqchip */
	bool inkernel; /* ... and one of its own */
	bool stats;    /* vCPU counters can be read */
};

/*
 * Opens the KVM device and asks what it offers. Returns 0 or a negative errno with the reason.
 * The caller closes kvm->fd.
 */
int lw_kvm_open(struct lw_kvm *kvm, const char *path, const struct lw_kvm_sys *sys,
		struct lw_reason *reason);

#endif
