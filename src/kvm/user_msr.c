/* SPDX-License-Identifier: MIT */
#include "kvm/user_priv.h"

#include <errno.h>
#include <string.h>

#define MSR_TSC 0x10u

#define CPUID_X2APIC   (1u << 21) /* leaf 1, ECX */
#define CPUID_DEADLINE (1u << 24)
#define KVM_FEATURES   0x40000001u
/* Of KVM's features, those that don't need a LAPIC in the kernel: both clocks and their stability,
 * no delay for ports, stolen time. */
#define KVM_FEATURES_KEPT 0x0100002bu

/* Two filters of one MSR each, bit clear: refused, and so handed to us. */
static int filter_msrs(struct lw_user *user)
{
	static uint8_t refused[1] = {0};
	struct kvm_msr_filter filter = {.flags = KVM_MSR_FILTER_DEFAULT_ALLOW};
	const uint32_t msrs[] = {LW_MSR_APIC_BASE, LW_MSR_TSC_DEADLINE};

	for (unsigned i = 0; i < 2; i++) {
		filter.ranges[i].flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
		filter.ranges[i].base = msrs[i];
		filter.ranges[i].nmsrs = 1;
		filter.ranges[i].bitmap = refused;
	}
	return user_ioctl(user, user->config.vm_fd, KVM_X86_SET_MSR_FILTER, &filter);
}

uint32_t user_msr_grant(struct lw_user *user, uint32_t wanted)
{
	const uint32_t offered = LW_USER_X2APIC | LW_USER_DEADLINE;
	struct kvm_enable_cap exits = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = {KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_FILTER}};

	if (!(wanted & offered))
		return wanted;
	if (user_ioctl(user, user->config.vm_fd, KVM_ENABLE_CAP, &exits) < 0 ||
	    filter_msrs(user) < 0)
		return wanted & ~offered;
	return wanted;
}

void lw_user_cpuid(const struct lw_user *user, struct kvm_cpuid2 *cpuid)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == KVM_FEATURES)
			entry->eax &= KVM_FEATURES_KEPT;
		if (entry->function != 1)
			continue;
		entry->ecx &= ~(CPUID_X2APIC | CPUID_DEADLINE);
		if (user->flags & LW_USER_X2APIC)
			entry->ecx |= CPUID_X2APIC;
		if (user->flags & LW_USER_DEADLINE)
			entry->ecx |= CPUID_DEADLINE;
	}
}

int user_msr_sync_tsc(struct user_vcpu *v)
{
	uint64_t room[(sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)) / 8] = {0};
	struct kvm_msrs *msrs = (struct kvm_msrs *)room;
	struct lw_lapic *lapic = lw_chip_lapic(v->user->chip, v->number);
	int err;

	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_TSC;
	err = user_ioctl(v->user, v->fd, KVM_GET_MSRS, msrs);
	if (err < 0)
		return err;
	if (err != 1)
		return -EIO;
	lw_lapic_time(lapic, user_now());
	lw_lapic_set_tsc(lapic, msrs->entries[0].data);
	return 0;
}

/* All that comes here is ours, or what KVM would answer with #GP: so do we. */
void user_msr_exit(struct user_vcpu *v)
{
	struct lw_lapic *lapic = lw_chip_lapic(v->user->chip, v->number);
	struct kvm_run *run = v->run;
	uint32_t msr = run->msr.index;
	uint64_t value = 0;
	int refused = 1;

	v->apic_msr++;
	/* The two clocks drift; a deadline is only as good as the guest's TSC that we know. */
	if (msr == LW_MSR_TSC_DEADLINE && (v->user->flags & LW_USER_DEADLINE))
		(void)user_msr_sync_tsc(v);
	if (msr == LW_MSR_APIC_BASE || msr == LW_MSR_TSC_DEADLINE ||
	    (msr >= LW_MSR_X2APIC && msr <= LW_MSR_X2APIC_LAST)) {
		if (run->exit_reason == KVM_EXIT_X86_WRMSR)
			refused = lw_lapic_msr_write(lapic, msr, run->msr.data);
		else
			refused = lw_lapic_msr_read(lapic, msr, &value);
	}
	run->msr.data = run->exit_reason == KVM_EXIT_X86_RDMSR ? value : run->msr.data;
	run->msr.error = refused != 0;
}
