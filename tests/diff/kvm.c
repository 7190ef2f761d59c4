/* SPDX-License-Identifier: MIT */
/* KVM's chips: a VM with an in-kernel irqchip, both vCPUs run by the one thread. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "diff.h"
#include "guest.h"
#include "kvm/guest.h"

#define MAX_CPUID_ENTRIES  256u
#define RESET_RIP          0xfff0u
#define CPUID_TSC_DEADLINE (1u << 24)
#define TSS_ADDRESS        0xfffbd000u
#define SEQUENCE_SECONDS   120u /* takes a second or two, and on a busy host ten */

struct diff_kvm {
	int fd;
	int vcpu[DIFF_CPUS];
	struct kvm_run *run[DIFF_CPUS];
	uint8_t *ram;
	uint32_t msis; /* bit per GSI: routed to an MSI */
	uint64_t msi_address[DIFF_GSIS];
	uint32_t msi_data[DIFF_GSIS];
};

static int kvm_fd = -1;
static size_t run_size;

static void give_up(const char *what)
{
	perror(what);
	exit(3);
}

static int must(int result, const char *what)
{
	if (result < 0)
		give_up(what);
	return result;
}

static void open_kvm(void)
{
	if (kvm_fd >= 0)
		return;
	kvm_fd = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
	run_size = (size_t)must(ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
}

static void set_cpuid(const struct diff_kvm *k, uint32_t cpu)
{
	static struct kvm_cpuid2 *cpuid;

	if (!cpuid) {
		cpuid = calloc(1, sizeof(*cpuid) + MAX_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
		if (!cpuid)
			give_up("memory");
		cpuid->nent = MAX_CPUID_ENTRIES;
		must(ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
	}
	for (uint32_t n = 0; n < cpuid->nent; n++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[n];

		if (e->function == 1) {
			e->ebx = (e->ebx & 0x00ffffffu) | cpu << 24;
			e->ecx |= CPUID_TSC_DEADLINE; /* a capability apart, which all have */
		} else if (e->function == 0xb || e->function == 0x1f)
			e->edx = cpu;
	}
	must(ioctl(k->vcpu[cpu], KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
}

static void set_registers(const struct diff_kvm *k, uint32_t cpu)
{
	struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	must(ioctl(k->vcpu[cpu], KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	lw_guest_registers(cpu, &regs, &sregs);
	regs.r15 = DIFF_MAILBOX(cpu);
	must(ioctl(k->vcpu[cpu], KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(ioctl(k->vcpu[cpu], KVM_SET_REGS, &regs), "KVM_SET_REGS");
	must(ioctl(k->vcpu[cpu], KVM_SET_MP_STATE, &runnable), "KVM_SET_MP_STATE");
}

/* ---- running ---- */

static volatile sig_atomic_t late;

/* Again and again: the first may come just before KVM_RUN, and not end it. */
static void on_alarm(int number)
{
	(void)number;
	late = 1;
	alarm(1);
}

static void expect_an_end(void)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

	must(sigaction(SIGALRM, &action, NULL), "sigaction");
	late = 0;
	alarm(SEQUENCE_SECONDS);
}

static struct diff_mailbox *mailbox(const struct diff_kvm *k, uint32_t cpu)
{
	return (void *)(k->ram + DIFF_MAILBOX(cpu));
}

static void give_up_waiting(const struct diff_kvm *k, uint32_t cpu)
{
	const struct diff_mailbox *m = mailbox(k, cpu);
	struct kvm_mp_state state;
	struct kvm_regs regs;

	must(ioctl(k->vcpu[cpu], KVM_GET_MP_STATE, &state), "KVM_GET_MP_STATE");
	must(ioctl(k->vcpu[cpu], KVM_GET_REGS, &regs), "KVM_GET_REGS");
	fprintf(stderr,
		"diff: vCPU %u still runs after %u s: mp_state %u, rip 0x%llx, "
		"access %u of %u bytes at 0x%llx\n",
		cpu, SEQUENCE_SECONDS, state.mp_state, regs.rip, m->what, m->width,
		(unsigned long long)m->address);
	exit(3);
}

/* Until the guest says that it is done. */
static void run(const struct diff_kvm *k, uint32_t cpu)
{
	const struct kvm_run *r = k->run[cpu];

	do {
		if (ioctl(k->vcpu[cpu], KVM_RUN, 0) < 0 && errno != EINTR && errno != EAGAIN)
			give_up("KVM_RUN");
		if (late)
			give_up_waiting(k, cpu);
	} while (r->exit_reason == KVM_EXIT_INTR);
	if (r->exit_reason != KVM_EXIT_IO || r->io.port != DIFF_PORT_DONE) {
		fprintf(stderr,
			"diff: vCPU %u: exit reason %u, suberror %u, by access %u of %u bytes at "
			"0x%llx\n",
			cpu, r->exit_reason, r->internal.suberror, mailbox(k, cpu)->what,
			mailbox(k, cpu)->width, (unsigned long long)mailbox(k, cpu)->address);
		exit(3);
	}
	if (mailbox(k, cpu)->broken) {
		fprintf(stderr, "diff: vCPU %u took exception %u\n", cpu,
			mailbox(k, cpu)->broken - 1u);
		exit(3);
	}
}

static void set_base(const struct diff_kvm *k, uint32_t cpu, uint64_t base)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = {.head = {.nmsrs = 1}, .entry = {.index = LW_MSR_APIC_BASE, .data = base}};

	must(ioctl(k->vcpu[cpu], KVM_SET_MSRS, &msr), "KVM_SET_MSRS");
	k->run[cpu]->apic_base = base;
}

static void create_vcpu(struct diff_kvm *k, uint32_t cpu)
{
	k->vcpu[cpu] = must(ioctl(k->fd, KVM_CREATE_VCPU, (unsigned long)cpu), "KVM_CREATE_VCPU");
	k->run[cpu] = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, k->vcpu[cpu], 0);
	if (k->run[cpu] == MAP_FAILED)
		give_up("mmap");
	set_cpuid(k, cpu);
	set_registers(k, cpu);
	run(k, cpu);
}

static void load_guest(struct diff_kvm *k)
{
	struct kvm_userspace_memory_region region = {.memory_size = LW_GUEST_RAM_SIZE};

	k->ram = mmap(NULL, LW_GUEST_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (k->ram == MAP_FAILED)
		give_up("mmap");
	lw_guest_load(k->ram);
	memcpy(k->ram + LW_GUEST_CODE, diff_guest_code,
	       (size_t)(diff_guest_code_end - diff_guest_code));
	region.userspace_addr = (uintptr_t)k->ram;
	must(ioctl(k->fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

struct diff_kvm *diff_kvm_create(void)
{
	struct kvm_enable_cap x2apic = {
		.cap = KVM_CAP_X2APIC_API,
		.args = {KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK}};
	struct kvm_enable_cap lint0 = {.cap = KVM_CAP_DISABLE_QUIRKS,
				       .args = {KVM_X86_QUIRK_LINT0_REENABLED}};
	struct diff_kvm *k = calloc(1, sizeof(*k));

	if (!k)
		give_up("memory");
	open_kvm();
	expect_an_end();
	k->fd = must(ioctl(kvm_fd, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	must(ioctl(k->fd, KVM_SET_TSS_ADDR, TSS_ADDRESS), "KVM_SET_TSS_ADDR");
	must(ioctl(k->fd, KVM_ENABLE_CAP, &x2apic), "KVM_CAP_X2APIC_API");
	must(ioctl(k->fd, KVM_ENABLE_CAP, &lint0), "KVM_CAP_DISABLE_QUIRKS");
	must(ioctl(k->fd, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	load_guest(k);
	for (uint32_t cpu = 0; cpu < DIFF_CPUS; cpu++)
		create_vcpu(k, cpu);
	return k;
}

void diff_kvm_destroy(struct diff_kvm *k)
{
	for (uint32_t cpu = 0; cpu < DIFF_CPUS; cpu++) {
		munmap(k->run[cpu], run_size);
		close(k->vcpu[cpu]);
	}
	alarm(0);
	close(k->fd);
	munmap(k->ram, LW_GUEST_RAM_SIZE);
	free(k);
}

/* ---- operations ---- */

static void fill(const struct diff_op *op, struct diff_mailbox *m)
{
	static const struct {
		uint32_t what, base;
	} table[] = {
		[OP_PAGE_READ] = {DIFF_READ, LW_GUEST_LAPIC},
		[OP_PAGE_WRITE] = {DIFF_WRITE, LW_GUEST_LAPIC},
		[OP_IO_READ] = {DIFF_READ, LW_GUEST_IOAPIC},
		[OP_IO_WRITE] = {DIFF_WRITE, LW_GUEST_IOAPIC},
		[OP_MSR_READ] = {DIFF_RDMSR, 0},
		[OP_MSR_WRITE] = {DIFF_WRMSR, 0},
		[OP_PORT_READ] = {DIFF_IN, 0},
		[OP_PORT_WRITE] = {DIFF_OUT, 0},
		[OP_CR8_READ] = {DIFF_READ_CR8, 0},
		[OP_CR8_WRITE] = {DIFF_WRITE_CR8, 0},
		[OP_WINDOW] = {DIFF_WINDOW, 0},
	};

	m->what = table[op->kind].what;
	m->width = op->width;
	m->address = (uint64_t)table[op->kind].base + op->address;
	m->value = op->value;
	m->fault = 0;
	m->vector = DIFF_NONE;
	m->nmis = 0;
}

static bool reads(const struct diff_op *op)
{
	return op->kind == OP_PAGE_READ || op->kind == OP_IO_READ || op->kind == OP_MSR_READ ||
	       op->kind == OP_PORT_READ || op->kind == OP_CR8_READ;
}

static void get_chip(const struct diff_kvm *k, uint32_t id, struct kvm_irqchip *chip)
{
	memset(chip, 0, sizeof(*chip));
	chip->chip_id = id;
	must(ioctl(k->fd, KVM_GET_IRQCHIP, chip), "KVM_GET_IRQCHIP");
}

/* KVM does not see that LINT0 has been unmasked, or what an ICW or an ELCR has changed of the
 * 8259s' output, until something else happens. */
static void make_it_look(const struct diff_kvm *k, uint32_t cpu)
{
	struct kvm_vcpu_events events;
	struct kvm_irqchip chip;

	must(ioctl(k->vcpu[cpu], KVM_GET_VCPU_EVENTS, &events), "KVM_GET_VCPU_EVENTS");
	must(ioctl(k->vcpu[cpu], KVM_SET_VCPU_EVENTS, &events), "KVM_SET_VCPU_EVENTS");
	get_chip(k, KVM_IRQCHIP_PIC_MASTER, &chip);
	must(ioctl(k->fd, KVM_SET_IRQCHIP, &chip), "KVM_SET_IRQCHIP");
}

/* Before it writes CR8 the guest opens a window in which nothing comes: KVM may still wait to
 * inject what is no longer there, and QEMU 7.2, as the nested machine, then aborts. */
static void run_guest(struct diff_kvm *k, const struct diff_op *op, struct diff_outcome *outcome)
{
	struct diff_mailbox *m = mailbox(k, op->cpu);

	fill(op, m);
	if (op->kind == OP_WINDOW || op->kind == OP_CR8_WRITE)
		make_it_look(k, op->cpu);
	if (op->kind == OP_CR8_WRITE) {
		m->what = DIFF_WINDOW;
		run(k, op->cpu);
		m->what = DIFF_WRITE_CR8;
	}
	run(k, op->cpu);
	outcome->fault = m->fault != 0;
	outcome->vector = m->vector == DIFF_NONE ? -1 : (int)m->vector;
	outcome->nmi = m->nmis != 0;
	if (reads(op) && !outcome->fault)
		outcome->value = m->value;
}

static void route(struct diff_kvm *k)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entry[DIFF_GSIS + DIFF_PINS];
	} table = {0};
	uint32_t n = 0;

	for (uint32_t gsi = 0; gsi < DIFF_GSIS; gsi++) {
		struct kvm_irq_routing_entry *e = &table.entry[n];

		e->gsi = gsi;
		if (k->msis >> gsi & 1u) {
			e->type = KVM_IRQ_ROUTING_MSI;
			e->u.msi.address_lo = (uint32_t)k->msi_address[gsi];
			e->u.msi.data = k->msi_data[gsi];
			n++;
			continue;
		}
		if (gsi >= DIFF_PINS)
			continue;
		e->type = KVM_IRQ_ROUTING_IRQCHIP;
		e->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		e->u.irqchip.pin = gsi;
		n++;
		if (gsi >= LW_PIC_PINS)
			continue;
		table.entry[n] = *e;
		table.entry[n].u.irqchip.irqchip =
			gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
		table.entry[n].u.irqchip.pin = gsi % 8;
		n++;
	}
	table.head.nr = n;
	must(ioctl(k->fd, KVM_SET_GSI_ROUTING, &table), "KVM_SET_GSI_ROUTING");
}

static void run_vmm(struct diff_kvm *k, const struct diff_op *op)
{
	struct kvm_irq_level line = {.irq = op->address, .level = (uint32_t)op->value};
	struct kvm_msi msi = {.address_lo = op->address, .data = (uint32_t)op->value};
	uint32_t gsi = op->width % DIFF_GSIS;

	switch (op->kind) {
	case OP_LINE:
		must(ioctl(k->fd, KVM_IRQ_LINE, &line), "KVM_IRQ_LINE");
		break;
	case OP_MSI:
		(void)ioctl(k->fd, KVM_SIGNAL_MSI, &msi); /* refuses what it does not like */
		break;
	default:
		k->msis = (k->msis & ~(1u << gsi)) | (uint32_t)(op->address != 0) << gsi;
		k->msi_address[gsi] = op->address;
		k->msi_data[gsi] = (uint32_t)op->value;
		route(k);
	}
}

/* A vCPU that got an INIT, which asking for its state carries out, waits for a start-up or, if it
 * is the boot processor, is about to begin anew: start it where it was. */
static void restart(const struct diff_kvm *k, uint32_t cpu)
{
	struct kvm_mp_state state;
	struct kvm_regs regs;

	must(ioctl(k->vcpu[cpu], KVM_GET_MP_STATE, &state), "KVM_GET_MP_STATE");
	must(ioctl(k->vcpu[cpu], KVM_GET_REGS, &regs), "KVM_GET_REGS");
	if (regs.rip != RESET_RIP)
		return;
	set_registers(k, cpu);
	run(k, cpu);
}

static bool may_init(const struct diff_op *op)
{
	return (op->kind == OP_MSI || op->kind == OP_PAGE_WRITE || op->kind == OP_MSR_WRITE) &&
	       (op->value >> 8 & 7u) == LW_DM_INIT;
}

void diff_kvm_run(struct diff_kvm *k, const struct diff_op *op, struct diff_outcome *outcome)
{
	*outcome = (struct diff_outcome){.vector = -1};
	if (diff_is_guests(op))
		run_guest(k, op, outcome);
	else
		run_vmm(k, op);
	for (uint32_t cpu = 0; may_init(op) && cpu < DIFF_CPUS; cpu++)
		restart(k, cpu);
}

/* ---- state ---- */

static void get_lapic(const struct diff_kvm *k, uint32_t cpu, struct kvm_lapic_state *page)
{
	must(ioctl(k->vcpu[cpu], KVM_GET_LAPIC, page), "KVM_GET_LAPIC");
}

static void lapic_state(const struct diff_kvm *k, uint32_t cpu, struct diff_lapic *l)
{
	struct kvm_vcpu_events events;
	struct kvm_lapic_state page;

	get_lapic(k, cpu, &page);
	must(ioctl(k->vcpu[cpu], KVM_GET_VCPU_EVENTS, &events), "KVM_GET_VCPU_EVENTS");
	l->nmi = events.nmi.pending != 0;
	l->base = k->run[cpu]->apic_base;
	for (uint32_t n = 0; n < DIFF_REGS; n++)
		memcpy(&l->reg[n], &page.regs[n * 16u], sizeof(l->reg[n]));
	l->icr_high = l->reg[LW_LAPIC_ICR2 >> 4];
}

void diff_kvm_state(struct diff_kvm *k, struct diff_state *state)
{
	struct kvm_irqchip chip;

	for (uint32_t cpu = 0; cpu < DIFF_CPUS; cpu++)
		lapic_state(k, cpu, &state->lapic[cpu]);
	get_chip(k, KVM_IRQCHIP_IOAPIC, &chip);
	state->ioregsel = chip.chip.ioapic.ioregsel;
	state->id = chip.chip.ioapic.id;
	for (uint32_t n = 0; n < DIFF_PINS; n++)
		state->rte[n] = chip.chip.ioapic.redirtbl[n].bits;
	for (uint32_t n = 0; n < 2; n++) {
		get_chip(k, n ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER, &chip);
		state->pic[n] = (struct lw_pic_regs){.irr = chip.chip.pic.irr,
						     .isr = chip.chip.pic.isr,
						     .imr = chip.chip.pic.imr,
						     .elcr = chip.chip.pic.elcr};
	}
}

/* ---- mending ---- */

static void mend_lapic(const struct diff_kvm *k, uint32_t cpu, const struct diff_lapic *to)
{
	struct kvm_lapic_state page;
	struct kvm_vcpu_events events;
	uint32_t high = to->icr_high;

	if (k->run[cpu]->apic_base != to->base)
		set_base(k, cpu, to->base);
	get_lapic(k, cpu, &page);
	for (uint32_t n = 0; n < DIFF_REGS; n++)
		if (to->state >> n & 1u && n != LW_LAPIC_VERSION >> 4 && n != LW_LAPIC_ESR >> 4)
			memcpy(&page.regs[n * 16u], &to->reg[n], sizeof(to->reg[n]));
	memcpy(&page.regs[LW_LAPIC_ICR2], &high, sizeof(high));
	for (int twice = 0; twice < 2; twice++) /* the first leaves PPR by the old ISR */
		must(ioctl(k->vcpu[cpu], KVM_SET_LAPIC, &page), "KVM_SET_LAPIC");
	must(ioctl(k->vcpu[cpu], KVM_GET_VCPU_EVENTS, &events), "KVM_GET_VCPU_EVENTS");
	events.nmi.pending = 0;
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
	must(ioctl(k->vcpu[cpu], KVM_SET_VCPU_EVENTS, &events), "KVM_SET_VCPU_EVENTS");
}

static void mend_ioapic(const struct diff_kvm *k, const struct diff_state *to, uint32_t lines)
{
	struct kvm_irqchip chip;

	get_chip(k, KVM_IRQCHIP_IOAPIC, &chip);
	for (uint32_t n = 0; n < DIFF_PINS; n++)
		chip.chip.ioapic.redirtbl[n].bits = to->rte[n] & ~(uint64_t)LW_RTE_PENDING;
	chip.chip.ioapic.ioregsel = to->ioregsel;
	chip.chip.ioapic.id = to->id;
	chip.chip.ioapic.irr = lines & ((1u << DIFF_PINS) - 1u);
	must(ioctl(k->fd, KVM_SET_IRQCHIP, &chip), "KVM_SET_IRQCHIP");
}

static void mend_pic(const struct diff_kvm *k, uint32_t n, const struct lw_pic_regs *to)
{
	struct kvm_irqchip chip;

	get_chip(k, n ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER, &chip);
	chip.chip.pic.irr = to->irr;
	chip.chip.pic.isr = to->isr;
	chip.chip.pic.imr = to->imr;
	chip.chip.pic.elcr = to->elcr;
	must(ioctl(k->fd, KVM_SET_IRQCHIP, &chip), "KVM_SET_IRQCHIP");
}

void diff_kvm_mend(struct diff_kvm *k, const struct diff_state *to, uint32_t lines)
{
	for (uint32_t n = 0; n < 2; n++)
		mend_pic(k, 1u - n, &to->pic[1u - n]); /* the slave first: the master follows */
	mend_ioapic(k, to, lines);
	for (uint32_t cpu = 0; cpu < DIFF_CPUS; cpu++)
		mend_lapic(k, cpu, &to->lapic[cpu]);
}
