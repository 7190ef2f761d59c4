/* SPDX-License-Identifier: MIT */
#include "kvm/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Generous: the host may itself be emulated. Every step has it anew. */
#define PATIENCE_SECONDS 10

#define IOAPIC_PINS 24
/* Where Intel's KVM may put a task state segment of its own: past the guest's RAM. */
#define KVM_TSS_ADDRESS 0xfffbd000
#define MSI_ADDRESS     0xfee00000u
#define MSI_LEVEL       (1u << 15)
#define MSI_ASSERT      (1u << 14)
#define LAPIC_ISR       0x100
#define MSR_PV_EOI      0x4b564d04
#define PV_EOI_ENABLE   1

static int create_backend(struct lw_vm *vm)
{
	struct lw_split_config config = {
		.vm_fd = vm->fd,
		.flags = LW_SPLIT_FAST,
		.nvcpus = LW_VM_CPUS,
		.pins = IOAPIC_PINS,
		.version = 0x11,
	};
	struct lw_split *backend = aligned_alloc(LW_SPLIT_ALIGN, lw_split_size(&config));
	int err = backend ? lw_split_init(backend, &config) : -ENOMEM;

	if (err < 0)
		free(backend);
	else
		vm->backend = backend;
	return err;
}

static int create_irqchip(struct lw_vm *vm)
{
	struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {IOAPIC_PINS}};

	if (vm->irqchip == LW_VM_LAPWING)
		return create_backend(vm);
	if (vm->irqchip == LW_VM_SPLIT)
		return ioctl(vm->fd, KVM_ENABLE_CAP, &split) < 0 ? -errno : 0;
	return ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0 ? -errno : 0;
}

static int create_memory(struct lw_vm *vm)
{
	struct kvm_userspace_memory_region region = {.memory_size = LW_GUEST_RAM_SIZE};
	void *ram = mmap(NULL, LW_GUEST_RAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ram == MAP_FAILED)
		return -errno;
	vm->ram = ram;
	lw_guest_load(vm->ram);
	region.userspace_addr = (uintptr_t)vm->ram;
	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

static int create_machine(struct lw_vm *vm, const struct lw_kvm *kvm, struct lw_reason *reason)
{
	int run_size = ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	int err;

	if (run_size < 0)
		return lw_reason_set(reason, -errno, "cannot ask for the size of a vCPU");
	vm->run_size = (size_t)run_size;
	vm->fd = ioctl(kvm->fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return lw_reason_set(reason, -errno, "cannot create a VM");
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, KVM_TSS_ADDRESS) < 0)
		return lw_reason_set(reason, -errno, "cannot place KVM's own pages");
	err = create_irqchip(vm);
	if (err < 0)
		return lw_reason_set(reason, err, "cannot create the interrupt controllers");
	err = create_memory(vm);
	if (err < 0)
		return lw_reason_set(reason, err, "cannot give the guest memory");
	return 0;
}

static void prepare(struct lw_vm *vm, enum lw_vm_irqchip irqchip)
{
	pthread_condattr_t monotonic;

	*vm = (struct lw_vm){.irqchip = irqchip, .patience = PATIENCE_SECONDS, .fd = -1};
	pthread_mutex_init(&vm->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	for (unsigned i = 0; i < LW_VM_CPUS; i++) {
		vm->vcpu[i].vm = vm;
		vm->vcpu[i].number = i;
		vm->vcpu[i].fd = -1;
		vm->vcpu[i].counters.fd = -1;
	}
}

int lw_vm_create(struct lw_vm *vm, const struct lw_kvm *kvm, enum lw_vm_irqchip irqchip,
		 struct lw_reason *reason)
{
	int err;

	prepare(vm, irqchip);
	err = create_machine(vm, kvm, reason);
	for (unsigned i = 0; err == 0 && i < LW_VM_CPUS; i++)
		err = lw_vcpu_create(&vm->vcpu[i], kvm, reason);
	for (unsigned i = 0; err == 0 && i < LW_VM_CPUS; i++)
		err = lw_vcpu_start(&vm->vcpu[i], reason);
	for (unsigned i = 0; err == 0 && i < LW_VM_CPUS; i++)
		err = lw_vm_step(vm, i, LW_VM_READY, 0, NULL, reason);
	for (unsigned i = 1; err == 0 && i < LW_VM_CPUS; i++)
		lw_vm_resume(vm, i);
	return err;
}

bool lw_vm_destroy(struct lw_vm *vm)
{
	bool stopped = true;

	for (unsigned i = 0; i < LW_VM_CPUS; i++)
		stopped = lw_vcpu_stop(&vm->vcpu[i]) && stopped;
	if (!stopped)
		return false;
	for (unsigned i = 0; i < LW_VM_CPUS; i++)
		lw_vcpu_release(&vm->vcpu[i]);
	if (vm->backend)
		lw_split_close(vm->backend);
	free(vm->backend);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->ram)
		munmap(vm->ram, LW_GUEST_RAM_SIZE);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	return true;
}

static const char *event_name(enum lw_vm_event event)
{
	static const char *const names[] = {"nothing", "ready", "in service", "done", "broken"};

	return names[event];
}

void lw_vm_wait(struct lw_vm *vm)
{
	const long tenth = 100000000, second = 1000000000;
	struct timespec limit;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_nsec += tenth;
	if (limit.tv_nsec >= second) {
		limit.tv_nsec -= second;
		limit.tv_sec++;
	}
	(void)pthread_cond_timedwait(&vm->changed, &vm->lock, &limit);
}

/* Under the lock; returns what the vCPU tells next, or LW_VM_NOTHING when patience is over. */
static enum lw_vm_event wait_for_event(struct lw_vm *vm, struct lw_vcpu *vcpu)
{
	struct timespec begun, now;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	now = begun;
	while (vcpu->event == LW_VM_NOTHING && now.tv_sec - begun.tv_sec <= vm->patience) {
		lw_vm_wait(vm);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	vcpu->seen = vcpu->event != LW_VM_NOTHING;
	return vcpu->event;
}

void lw_vm_resume(struct lw_vm *vm, unsigned cpu)
{
	struct lw_vcpu *vcpu = &vm->vcpu[cpu];

	pthread_mutex_lock(&vm->lock);
	if (vcpu->seen) {
		vcpu->seen = false;
		vcpu->event = LW_VM_NOTHING;
		pthread_cond_broadcast(&vm->changed);
	}
	pthread_mutex_unlock(&vm->lock);
}

int lw_vm_step(struct lw_vm *vm, unsigned cpu, enum lw_vm_event event, uint32_t vector,
	       uint32_t *value, struct lw_reason *reason)
{
	struct lw_vcpu *vcpu = &vm->vcpu[cpu];
	enum lw_vm_event told;
	int err = 0;

	lw_vm_resume(vm, cpu);
	pthread_mutex_lock(&vm->lock);
	told = wait_for_event(vm, vcpu);
	if (told == LW_VM_NOTHING)
		err = lw_reason_set(reason, -EPROTO, "vCPU %u did nothing for %u s", cpu,
				    vm->patience);
	else if (told == LW_VM_BROKEN)
		err = lw_reason_set(reason, -EPROTO, "%s", vm->broken.text);
	else if (told != event || (vcpu->value & 0xff) != vector)
		err = lw_reason_set(
			reason, -EPROTO, "vCPU %u: vector 0x%x %s instead of vector 0x%x %s", cpu,
			vcpu->value & 0xff, event_name(told), vector, event_name(event));
	if (value)
		*value = vcpu->value;
	pthread_mutex_unlock(&vm->lock);
	return err;
}

struct lw_guest_mailbox *lw_vm_mailbox(struct lw_vm *vm, unsigned cpu)
{
	return (void *)(vm->ram + lw_guest_mailbox_address(cpu));
}

uint64_t lw_vm_eoi_exits(struct lw_vm *vm, unsigned cpu, uint8_t vector)
{
	uint64_t exits;

	pthread_mutex_lock(&vm->lock);
	exits = vm->vcpu[cpu].eoi_exits[vector];
	pthread_mutex_unlock(&vm->lock);
	return exits;
}

int lw_vm_exits(struct lw_vm *vm, unsigned cpu, uint64_t *exits)
{
	return lw_vm_counters_exits(&vm->vcpu[cpu].counters, exits);
}

int lw_vm_in_service(struct lw_vm *vm, unsigned cpu, uint8_t vector, bool *in_service,
		     struct lw_reason *reason)
{
	struct kvm_lapic_state lapic;

	if (ioctl(vm->vcpu[cpu].fd, KVM_GET_LAPIC, &lapic) < 0)
		return lw_reason_set(reason, -errno, "cannot read the local APIC");
	*in_service =
		(lapic.regs[LAPIC_ISR + vector / 32 * 16 + vector % 32 / 8] >> vector % 8) & 1;
	return 0;
}

int lw_vm_msi(struct lw_vm *vm, unsigned cpu, uint8_t vector, bool level, struct lw_reason *reason)
{
	struct kvm_msi msi = {
		.address_lo = MSI_ADDRESS | cpu << 12,
		.data = vector | (level ? MSI_LEVEL | MSI_ASSERT : 0),
	};
	int delivered = ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);

	if (delivered < 0)
		return lw_reason_set(reason, -errno, "cannot send vector 0x%x", vector);
	if (delivered == 0)
		return lw_reason_set(reason, -EPROTO, "KVM did not take vector 0x%x", vector);
	return 0;
}

int lw_vm_route(struct lw_vm *vm, uint32_t pin, unsigned cpu, uint8_t vector,
		struct lw_reason *reason)
{
	struct kvm_irq_routing *table = calloc(1, sizeof(*table) + sizeof(table->entries[0]));
	int err = 0;

	if (!table)
		return lw_reason_set(reason, -ENOMEM, "cannot route vector 0x%x", vector);
	table->nr = 1;
	table->entries[0].gsi = pin;
	table->entries[0].type = KVM_IRQ_ROUTING_MSI;
	table->entries[0].u.msi.address_lo = MSI_ADDRESS | cpu << 12;
	table->entries[0].u.msi.data = vector | MSI_LEVEL | MSI_ASSERT;
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, table) < 0)
		err = lw_reason_set(reason, -errno, "cannot route vector 0x%x", vector);
	free(table);
	return err;
}

int lw_vm_write_rte(struct lw_vm *vm, uint32_t pin, unsigned cpu, uint8_t vector,
		    struct lw_reason *reason)
{
	const uint8_t low = (uint8_t)(0x10 + 2 * pin), high = (uint8_t)(low + 1);
	const uint32_t route = (uint32_t)LW_RTE_LEVEL | vector;
	const struct {
		uint8_t reg;
		uint32_t value;
	} write[] = {{low, route | (uint32_t)LW_RTE_MASK}, {high, cpu << 24}, {low, route}};
	int err = 0;

	for (unsigned i = 0; err == 0 && i < sizeof(write) / sizeof(write[0]); i++) {
		err = lw_split_mmio_write(vm->backend, 0, &write[i].reg, sizeof(write[i].reg));
		if (err == 0)
			err = lw_split_mmio_write(vm->backend, 0x10, &write[i].value,
						  sizeof(write[i].value));
	}
	return err < 0 ? lw_reason_set(reason, err, "cannot route vector 0x%x", vector) : 0;
}

int lw_vm_backend_line(struct lw_vm *vm, uint32_t pin, bool level, struct lw_reason *reason)
{
	int err = lw_split_line(vm->backend, pin, 0, level);

	return err < 0 ? lw_reason_set(reason, err, "cannot set pin %u", pin) : 0;
}

int lw_vm_line(struct lw_vm *vm, uint32_t pin, bool level, struct lw_reason *reason)
{
	struct kvm_irq_level line = {.irq = pin, .level = level};

	if (ioctl(vm->fd, KVM_IRQ_LINE, &line) < 0)
		return lw_reason_set(reason, -errno, "cannot set pin %u", pin);
	return 0;
}

int lw_vm_remote_irr(struct lw_vm *vm, uint32_t pin, bool *remote_irr, struct lw_reason *reason)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};

	if (ioctl(vm->fd, KVM_GET_IRQCHIP, &chip) < 0)
		return lw_reason_set(reason, -errno, "cannot read the I/O APIC");
	*remote_irr = chip.chip.ioapic.redirtbl[pin].fields.remote_irr;
	return 0;
}

int lw_vm_enable_pv_eoi(struct lw_vm *vm, unsigned cpu)
{
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(msrs->entries[0]));
	int set;

	if (!msrs)
		return -ENOMEM;
	msrs->nmsrs = 1;
	msrs->entries[0].index = MSR_PV_EOI;
	msrs->entries[0].data = lw_guest_mailbox_address(cpu) | PV_EOI_ENABLE;
	set = ioctl(vm->vcpu[cpu].fd, KVM_SET_MSRS, msrs);
	free(msrs);
	return set == 1 ? 0 : -ENOTSUP;
}
