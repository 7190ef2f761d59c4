/* SPDX-License-Identifier: MIT */
/*
 * The controller under real threads, for ThreadSanitizer and for long: two vCPUs with all that a
 * guest does to its LAPIC, a device with lines and messages, somebody who rewrites RTEs, 8259s and
 * GSI routes; and a LAPIC with two posters. Counts calls of the library, and tells by kind.
 *
 * An acceptance that finds nothing is no operation. At the end of each life no pin may be dead, and
 * nothing that was posted may be left.
 */
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "fuzz/fuzz.h"
#include "tests/unit/threads_rig.h"

#define USED      6u    /* pins, and GSIs of the 8259s with them */
#define SHARED    0xfeu /* vectors of MSIs that share the RTEs' */
#define MSI_GSI   CREW_PINS
#define LIFE      60000u /* device steps of a controller's life */
#define POSTS     60000u /* of each poster in a LAPIC's life */
#define PATIENT   60     /* seconds without an interrupt */
#define EXTINT    0x700u
#define MASKED    0x10000u
#define ADDRESS   0xfee00000u
#define LOGICALLY 4u

enum op { POST, ACCEPT, EOI, HOST, INIT, REGISTER, LDR, IPI, LINE, MSI, RTE, PIC, ROUTES, OPS };

static const char *const op_names[OPS] = {
	[POST] = "posts",
	[ACCEPT] = "acceptances that found something",
	[EOI] = "EOIs",
	[HOST] = "exits and entries",
	[INIT] = "INITs",
	[REGISTER] = "accesses to a vCPU's own LAPIC",
	[LDR] = "LDR writes, the map made anew",
	[IPI] = "IPIs",
	[LINE] = "line changes",
	[MSI] = "MSIs",
	[RTE] = "accesses to the I/O APIC",
	[PIC] = "accesses to the 8259s",
	[ROUTES] = "route replacements and look-ups",
};

struct crewman {
	pthread_t thread;
	uint32_t vcpu, random;
	uint64_t count[OPS];
};

static uint64_t total[OPS], lives;
static bool calm; /* the others have been joined */

/* Evaluates to the call, and counts it. */
#define DO(who, op, call) ((who)->count[op]++, (call))

static uint32_t draw(struct crewman *c, uint32_t n)
{
	return crew_below(&c->random, n);
}

static uint8_t vector_of(uint32_t n)
{
	return (uint8_t)(0x31 + n * 16);
}

/* ---- a vCPU ---- */

static struct lw_lapic *own(const struct crewman *c)
{
	return lw_chip_lapic(crew.chip, c->vcpu);
}

/* What the handler does to its device, and the rest of an exit. */
static void visit_host(struct crewman *c)
{
	DO(c, HOST, lw_chip_exit(crew.chip, c->vcpu));
	atomic_store(&crew.kicked[c->vcpu], false);
	DO(c, HOST, lw_chip_exit(crew.chip, c->vcpu)); /* a kick may have come before that */
	for (uint32_t pin = 0; pin < USED; pin++)
		if (calm || draw(c, 2))
			DO(c, LINE, lw_chip_line(crew.chip, pin, 0, false));
	DO(c, HOST, lw_chip_enter(crew.chip, c->vcpu));
}

/* The hardware asks the bitmap before it ends the vector. */
static void end_of_interrupt(struct crewman *c)
{
	struct lw_lapic *l = own(c);
	uint32_t isr = 0, n = 8;

	while (n > 0 && !isr)
		isr = lw_lapic_read(l, LW_LAPIC_ISR + --n * 16);
	if (isr) {
		uint8_t vector = (uint8_t)(n * 32 + 31 - (uint32_t)__builtin_clz(isr));
		bool left = lw_chip_eoi_leaves(crew.chip, c->vcpu, vector);

		DO(c, EOI, lw_lapic_eoi(l));
		if (left)
			visit_host(c);
	}
}

static bool take_one(struct crewman *c)
{
	if (lw_chip_accept(crew.chip, c->vcpu) < 0)
		return false;
	c->count[ACCEPT]++;
	if (draw(c, 8) == 0)
		visit_host(c);
	end_of_interrupt(c);
	return true;
}

static void set_up_lapic(struct crewman *c)
{
	struct lw_lapic *l = own(c);

	DO(c, REGISTER, lw_lapic_write(l, LW_LAPIC_SVR, CREW_ENABLED));
	DO(c, REGISTER, lw_lapic_write(l, LW_LAPIC_LVT_LINT0, EXTINT));
	DO(c, LDR, lw_lapic_write(l, LW_LAPIC_LDR, 1u << (24 + c->vcpu)));
}

/* Guest code that is not a handler. */
static void run_guest(struct crewman *c)
{
	struct lw_lapic *l = own(c);
	uint32_t what = draw(c, 64);

	if (what < 8)
		DO(c, LDR, lw_lapic_write(l, LW_LAPIC_LDR, draw(c, 4) << 24));
	else if (what < 10)
		DO(c, LDR, lw_lapic_write(l, LW_LAPIC_DFR, draw(c, 2) ? UINT32_MAX : 0));
	else if (what < 16)
		DO(c, REGISTER,
		   lw_lapic_write(l, LW_LAPIC_LVT_LINT0, draw(c, 2) ? EXTINT : MASKED));
	else if (what < 20)
		DO(c, REGISTER, lw_lapic_write(l, LW_LAPIC_TPR, draw(c, 4) << 5));
	else if (what < 28)
		DO(c, IPI, lw_lapic_write(l, LW_LAPIC_ICR, 3u << 18 | vector_of(draw(c, USED))));
	else if (what == 28)
		DO(c, INIT, lw_chip_init_vcpu(crew.chip, c->vcpu));
	else if (what == 29)
		DO(c, REGISTER, lw_lapic_write(l, LW_LAPIC_SVR, draw(c, 2) ? CREW_ENABLED : 0xff));
	else
		DO(c, REGISTER, lw_lapic_read(l, LW_LAPIC_IRR));
	if (what == 28 || what == 29)
		set_up_lapic(c);
}

static void *run_vcpu(void *arg)
{
	struct crewman *c = arg;

	crew_self = c->vcpu;
	set_up_lapic(c);
	DO(c, HOST, lw_chip_enter(crew.chip, c->vcpu));
	while (!atomic_load(&crew.stop)) {
		if (!take_one(c)) {
			run_guest(c);
			sched_yield();
		}
		if (atomic_load(&crew.kicked[c->vcpu]))
			visit_host(c);
	}
	DO(c, HOST, lw_chip_exit(crew.chip, c->vcpu));
	return NULL;
}

/* ---- the others ---- */

static void *run_device(void *arg)
{
	struct crewman *c = arg;

	for (uint32_t n = 0; n < LIFE; n++) {
		uint32_t data = vector_of(draw(c, USED)), logical = draw(c, 2) * LOGICALLY;

		DO(c, LINE, lw_chip_line(crew.chip, draw(c, USED), 0, draw(c, 3) != 0));
		if (draw(c, 2)) /* an MSI that may share a vector; some of lowest priority */
			DO(c, MSI,
			   lw_chip_msi(crew.chip, ADDRESS | draw(c, 4) << 12 | logical,
				       draw(c, 2) << 8 | data));
		if (draw(c, 8) == 0)
			DO(c, LINE, lw_chip_line(crew.chip, MSI_GSI, 0, true));
		if (draw(c, 16) == 0)
			DO(c, ROUTES,
			   lw_routes_find(lw_chip_routes(crew.chip), draw(c, CREW_PINS),
					  (struct lw_route[LW_ROUTES_PER_GSI]){{0}}));
		if (draw(c, 8) == 0)
			sched_yield();
	}
	atomic_store(&crew.stop, true);
	return NULL;
}

static void write_rte(struct crewman *c, uint32_t pin, uint32_t dest, uint32_t low)
{
	struct lw_ioapic *io = lw_chip_ioapic(crew.chip, 0);

	DO(c, RTE, lw_ioapic_write(io, 0x11 + 2 * pin, dest << 24));
	DO(c, RTE, lw_ioapic_write(io, 0x10 + 2 * pin, low));
}

static void rewrite_rte(struct crewman *c)
{
	uint32_t low = vector_of(draw(c, USED)) | LW_RTE_LEVEL, dest = draw(c, CREW_VCPUS);

	if (draw(c, 64) == 0) /* rare: this mends what is lost */
		low &= ~(uint32_t)LW_RTE_LEVEL;
	if (draw(c, 8) == 0)
		low |= LW_RTE_MASK;
	if (draw(c, 4) == 0) {
		low |= LW_RTE_LOGICAL;
		dest = 1u + draw(c, 3);
	}
	write_rte(c, draw(c, USED), dest, low);
	DO(c, RTE, lw_ioapic_read(lw_chip_ioapic(crew.chip, 0), 0x10 + 2 * draw(c, USED)));
}

static void replace_route(struct crewman *c)
{
	struct lw_route msi = {.gsi = MSI_GSI,
			       .type = LW_ROUTE_MSI,
			       .address = ADDRESS | draw(c, CREW_VCPUS) << 12,
			       .data = SHARED};

	if (DO(c, ROUTES, lw_routes_replace(lw_chip_routes(crew.chip), MSI_GSI, &msi, draw(c, 2))))
		fuzz_fail("a route was refused");
}

static void *run_rewriter(void *arg)
{
	struct crewman *c = arg;

	while (!atomic_load(&crew.stop)) {
		rewrite_rte(c);
		if (draw(c, 4) == 0)
			replace_route(c);
		if (draw(c, 4) == 0)
			DO(c, PIC,
			   lw_pic_write(lw_chip_pic(crew.chip), LW_PIC_PORT_MASTER + 1u,
					draw(c, 64), 1));
		if (draw(c, 16) == 0)
			DO(c, RTE, lw_chip_settle(crew.chip));
		if (draw(c, 8) == 0)
			sched_yield();
	}
	return NULL;
}

/* ---- a controller's life ---- */

static bool remote_irr(uint32_t pin)
{
	uint64_t rte;

	if (lw_ioapic_rte(lw_chip_ioapic(crew.chip, 0), pin, &rte))
		fuzz_fail("a pin can't be read");
	return (rte & LW_RTE_REMOTE_IRR) != 0;
}

/* Serve and end all that is pending anywhere. */
static void drain(struct crewman *c)
{
	for (uint32_t n = 0; n < 2 * CREW_VCPUS; n++) {
		c->vcpu = n % CREW_VCPUS;
		lw_chip_enter(crew.chip, c->vcpu);
		lw_lapic_write(own(c), LW_LAPIC_TPR, 0);
		while (take_one(c))
			continue;
		lw_chip_exit(crew.chip, c->vcpu);
	}
	lw_chip_settle(crew.chip);
}

static void check_no_pin_is_dead(struct crewman *c)
{
	crew_self = CREW_EVERYBODY;
	calm = true;
	for (uint32_t pin = 0; pin < USED; pin++)
		lw_chip_line(crew.chip, pin, 0, false);
	drain(c);
	for (uint32_t pin = 0; pin < USED; pin++) {
		if (remote_irr(pin))
			fuzz_fail("remote IRR is left when all is quiet");
		write_rte(c, pin, pin % CREW_VCPUS, 0x50 + pin * 16 + LW_RTE_LEVEL);
		lw_chip_line(crew.chip, pin, 0, true);
		if (!remote_irr(pin))
			fuzz_fail("a pin is dead");
		lw_chip_line(crew.chip, pin, 0, false);
		drain(c);
		if (remote_irr(pin))
			fuzz_fail("an EOI is lost");
	}
	calm = false;
	crew_self = CREW_NOBODY;
}

/* Automatic EOI, so that each acknowledgement lets the next one through. */
static void set_up_pic(void)
{
	static const uint8_t words[] = {0x30, 0x04, 0x03, 0x00};

	lw_pic_write(lw_chip_pic(crew.chip), LW_PIC_PORT_MASTER, 0x11, 1);
	for (size_t n = 0; n < sizeof(words); n++)
		lw_pic_write(lw_chip_pic(crew.chip), LW_PIC_PORT_MASTER + 1u, words[n], 1);
}

static void start(struct crewman *c, void *(*run)(void *), uint32_t seed)
{
	c->random += seed * 4001u;
	if (pthread_create(&c->thread, NULL, run, c))
		fuzz_fail("no thread can be made");
}

static void finish(struct crewman *c)
{
	pthread_join(c->thread, NULL);
	for (int op = 0; op < OPS; op++)
		total[op] += c->count[op];
}

static void live_as_controller(uint32_t seed)
{
	static const struct lw_chip_ops ops = {CREW_OPS, .notify = crew_notify_nobody};
	struct crewman men[] = {{.vcpu = 0}, {.vcpu = 1}, {.random = 2}, {.random = 3}}, last = {0};

	if (!crew_open(&ops, seed & 1u ? LW_EOI_LAZY : LW_EOI_ARMED,
		       seed & 2u ? LW_EOI_HARDWARE : 0, true))
		fuzz_fail("no controller can be made");
	set_up_pic();
	start(&men[0], run_vcpu, seed);
	start(&men[1], run_vcpu, seed);
	start(&men[2], run_rewriter, seed);
	start(&men[3], run_device, seed);
	for (size_t n = sizeof(men) / sizeof(*men); n-- > 0;)
		finish(&men[n]);
	check_no_pin_is_dead(&last);
	crew_close();
}

/* ---- a LAPIC's life ---- */

static _Alignas(LW_LAPIC_ALIGN) unsigned char storage[LW_LAPIC_SIZE];
static struct lw_lapic *const shared = (void *)storage;
static atomic_uint owed[2]; /* by poster: a vector is on its way */

/* Each has a vector of its own that it posts again once it has been served. */
static void *run_poster(void *arg)
{
	struct crewman *c = arg;

	for (uint32_t n = 0; n < POSTS; n++) {
		atomic_store(&owed[c->vcpu], 1);
		if (DO(c, POST, lw_lapic_post(shared, vector_of(c->vcpu), c->vcpu)) ==
		    LW_POST_NOTIFY)
			atomic_store(&crew.kicked[0], true);
		while (atomic_load(&owed[c->vcpu]))
			sched_yield();
	}
	return NULL;
}

/* Looks only when kicked: a post whose kick was not owed by anybody would hang. */
static void *run_owner(void *arg)
{
	struct crewman *c = arg;
	time_t last = time(NULL);
	int vector;

	for (uint32_t served = 0; served < 2 * POSTS;) {
		if (!atomic_exchange(&crew.kicked[0], false)) {
			if (time(NULL) > last + PATIENT)
				fuzz_fail("a post was left behind without a kick");
			sched_yield();
			continue;
		}
		last = time(NULL);
		while ((vector = lw_lapic_accept(shared)) >= 0) {
			uint32_t poster = (uint32_t)(vector - vector_of(0)) / 16;

			c->count[ACCEPT]++;
			if (lw_lapic_tmr(shared, (uint8_t)vector) != (poster == 1))
				fuzz_fail("a vector has another's trigger mode");
			DO(c, EOI, lw_lapic_eoi(shared));
			if (!atomic_exchange(&owed[poster], 0))
				fuzz_fail("a vector was taken twice");
			served++;
		}
	}
	return NULL;
}

static void live_as_lapic(uint32_t seed)
{
	struct lw_lapic_config config = {.id = 0};
	struct crewman men[] = {{.vcpu = 0}, {.vcpu = 1}, {.vcpu = 0}};

	if (lw_lapic_init(shared, &config))
		fuzz_fail("no LAPIC can be made");
	lw_lapic_write(shared, LW_LAPIC_SVR, CREW_ENABLED);
	start(&men[0], run_poster, seed);
	start(&men[1], run_poster, seed);
	start(&men[2], run_owner, seed);
	for (size_t n = 0; n < sizeof(men) / sizeof(*men); n++)
		finish(&men[n]);
}

/* ---- the sum ---- */

static uint64_t all(void)
{
	uint64_t sum = 0;

	for (int op = 0; op < OPS; op++)
		sum += total[op];
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t wanted = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;

	if (!wanted) {
		fputs("Usage: hammer OPERATIONS\n", stderr);
		return 2;
	}
	fuzz_count(0); /* from now on */
	for (; all() < wanted; lives++) {
		if (lives % 5 == 4)
			live_as_lapic((uint32_t)lives);
		else
			live_as_controller((uint32_t)(lives % 5 + lives / 5 * 4));
	}
	for (int op = 0; op < OPS; op++)
		printf("%12llu %s\n", (unsigned long long)total[op], op_names[op]);
	printf("%12llu operations in %llu lives\n", (unsigned long long)all(),
	       (unsigned long long)lives);
	fuzz_count(all());
	return 0;
}
