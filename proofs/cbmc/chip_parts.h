/* SPDX-License-Identifier: MIT */
/*
 * The controller's parts as chip.h wants them, which includes this: stubs that assert what each
 * header asks of a caller, and answer anything that it allows.
 */
#ifndef LAPWING_PROVE_CHIP_PARTS_H
#define LAPWING_PROVE_CHIP_PARTS_H

/* ---- the LAPICs ---- */

static void is_lapic(const void *l)
{
	must_hold(l == lapics[0] || l == lapics[1], "a LAPIC that there is");
}

int lw_lapic_init(struct lw_lapic *l, const struct lw_lapic_config *config)
{
	is_lapic(l);
	is_vcpu(config->vcpu);
	return 0;
}

struct lw_lapic_address lw_lapic_address(const struct lw_lapic *l)
{
	is_lapic(l);
	return (struct lw_lapic_address){.mode = (enum lw_lapic_mode)any_below(3),
					 .id = any_below(IDS),
					 .ldr = nondet_u8(),
					 .flat = nondet_bool()};
}

enum lw_lapic_mode lw_lapic_mode(const struct lw_lapic *l)
{
	is_lapic(l);
	return (enum lw_lapic_mode)any_below(3);
}

/* ops->changed is for its own harness. */
void lw_lapic_reset(struct lw_lapic *l)
{
	is_lapic(l);
	is_unlocked();
}

bool lw_lapic_suppresses(const struct lw_lapic *l)
{
	is_lapic(l);
	return nondet_bool();
}

bool lw_lapic_accepts(const struct lw_lapic *l)
{
	is_lapic(l);
	return nondet_bool();
}

bool lw_lapic_listens(const struct lw_lapic *l)
{
	is_lapic(l);
	return nondet_bool();
}

bool lw_lapic_extint(const struct lw_lapic *l)
{
	is_lapic(l);
	return nondet_bool();
}

bool lw_lapic_matches(const struct lw_lapic *l, const struct lw_msg *msg)
{
	(void)msg;
	is_lapic(l);
	return nondet_bool();
}

bool lw_lapic_holds(const struct lw_lapic *l, uint8_t vector)
{
	(void)vector;
	is_lapic(l);
	return nondet_bool();
}

enum lw_post lw_lapic_post(struct lw_lapic *l, uint8_t vector, bool level)
{
	(void)level;
	is_lapic(l);
	if (vector < LW_FIRST_VECTOR)
		return LW_POST_REFUSED;
	return nondet_bool() ? LW_POST_REFUSED : nondet_bool() ? LW_POST_NOTIFY : LW_POST_QUIET;
}

uint8_t lw_lapic_ppr(const struct lw_lapic *l)
{
	is_lapic(l);
	return nondet_u8();
}

void lw_lapic_lint(struct lw_lapic *l, uint32_t pin, bool asserted)
{
	(void)asserted;
	is_lapic(l);
	must_hold(pin == 0, "INT is wired to LINT0");
}

int lw_lapic_pending(struct lw_lapic *l)
{
	is_lapic(l);
	return (int)any_below(257) - 1;
}

int lw_lapic_accept(struct lw_lapic *l)
{
	is_lapic(l);
	return (int)any_below(257) - 1;
}

struct lw_lapic_counters lw_lapic_counters(const struct lw_lapic *l)
{
	is_lapic(l);
	return nondet_lapic_counters();
}

/* ---- the I/O APIC ---- */

static void is_ioapic(const void *io)
{
	must_hold(io == ioapics[0] || io == ioapics[1], "an I/O APIC that there is");
}

static int telling; /* how deep */

/* What it may tell under the lock, once: a delivery, a record's begin or end, a fall, a recall. */
static void ioapic_tells(void)
{
	struct lw_msg msg = any_msg(), other = any_msg();
	uint64_t map = 0;
	struct lw_takers takers = {.map = &map};
	uint8_t vector = nondet_u8();

	is_locked();
	if (telling || nondet_bool())
		return;
	telling++;
	if (nondet_bool())
		to_ioapic->deliver(&chip, any_below(24), &msg, &takers);
	else if (nondet_bool())
		to_ioapic->route(&chip, &msg, &other);
	else if (nondet_bool())
		to_ioapic->record(&chip, 1, vector, nondet_bool());
	else if (nondet_bool())
		to_ioapic->fell(&chip, 1, vector);
	else if (nondet_bool())
		to_ioapic->recall(&chip, 1, vector);
	else
		to_ioapic->closed(&chip, 0, vector);
	telling--;
}

size_t lw_ioapic_size(const struct lw_ioapic_config *config)
{
	bool fits = config->pins >= LW_IOAPIC_MIN_PINS && config->pins <= LW_IOAPIC_MAX_PINS;

	return fits ? IOAPIC_SIZE : 0;
}

int lw_ioapic_init(struct lw_ioapic *io, const struct lw_ioapic_config *config)
{
	(void)config;
	is_ioapic(io);
	return 0;
}

bool lw_ioapic_owes_locked(const struct lw_ioapic *io)
{
	is_ioapic(io);
	is_locked();
	return nondet_bool();
}

void lw_ioapic_drain(struct lw_ioapic *io)
{
	is_ioapic(io);
	is_unlocked();
	if (nondet_bool())
		to_ioapic->resample(&chip, nondet_u32());
	if (nondet_bool())
		to_ioapic->storm(&chip, nondet_u32());
}

int lw_ioapic_line(struct lw_ioapic *io, uint32_t pin, uint32_t source, bool level)
{
	(void)pin, (void)source, (void)level;
	is_ioapic(io);
	to_ioapic->lock(&chip);
	ioapic_tells();
	to_ioapic->unlock(&chip);
	return nondet_bool() ? 0 : -EINVAL;
}

enum lw_eoi_class lw_ioapic_eoi_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	is_ioapic(io);
	is_vcpu(vcpu);
	ioapic_tells();
	return (enum lw_eoi_class)any_below(3);
}

void lw_ioapic_forget_locked(struct lw_ioapic *io, uint32_t vcpu)
{
	is_ioapic(io);
	is_vcpu(vcpu);
	ioapic_tells();
}

void lw_ioapic_retry_locked(struct lw_ioapic *io)
{
	is_ioapic(io);
	ioapic_tells();
}

void lw_ioapic_remapped_locked(struct lw_ioapic *io)
{
	is_ioapic(io);
	ioapic_tells();
}

void lw_ioapic_settle_locked(struct lw_ioapic *io)
{
	is_ioapic(io);
	ioapic_tells();
}

static void of_pair(const struct lw_ioapic *io, uint32_t vcpu)
{
	is_ioapic(io);
	is_vcpu(vcpu);
	is_locked();
}

void lw_ioapic_gone_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	of_pair(io, vcpu);
	ioapic_tells();
}

void lw_ioapic_finish_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	of_pair(io, vcpu);
	ioapic_tells();
}

bool lw_ioapic_releasable_locked(const struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	of_pair(io, vcpu);
	return nondet_bool();
}

void lw_ioapic_release_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	of_pair(io, vcpu);
}

void lw_ioapic_keep_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	of_pair(io, vcpu);
}

void lw_ioapic_hold_locked(struct lw_ioapic *io, uint32_t vcpu, uint8_t vector)
{
	(void)vector;
	of_pair(io, vcpu);
}

void lw_ioapic_scan_locked(const struct lw_ioapic *io,
			   void (*see)(void *arg, const struct lw_msg *msg), void *arg)
{
	struct lw_msg msg = any_msg();

	is_ioapic(io);
	is_locked();
	if (nondet_bool())
		see(arg, &msg);
}

/* ---- the 8259s ---- */

static void is_pic(const struct lw_pic *pic)
{
	must_hold(pic == &a_pic, "a pair of 8259s that there is");
}

int lw_pic_init(struct lw_pic *pic, const struct lw_pic_config *config)
{
	(void)config;
	is_pic(pic);
	return 0;
}

int lw_pic_line(struct lw_pic *pic, uint32_t pin, uint32_t source, bool level)
{
	(void)pin, (void)source, (void)level;
	is_pic(pic);
	to_pic->lock(&chip);
	if (nondet_bool())
		to_pic->intr(&chip, nondet_bool());
	to_pic->unlock(&chip);
	if (nondet_bool())
		to_pic->eoi(&chip, any_below(LW_PIC_PINS));
	return nondet_bool() ? 0 : -EINVAL;
}

static int pic_answer(struct lw_pic *pic)
{
	is_pic(pic);
	to_pic->lock(&chip);
	to_pic->unlock(&chip);
	return (int)any_below(257) - 1;
}

int lw_pic_pending(struct lw_pic *pic)
{
	return pic_answer(pic);
}

int lw_pic_accept(struct lw_pic *pic)
{
	return pic_answer(pic);
}

/* ---- routes and destinations ---- */

static void is_routes(const void *routes)
{
	must_hold(routes == some_routes, "the routes");
}

size_t lw_routes_size(uint32_t gsis, uint32_t routes)
{
	(void)gsis, (void)routes;
	return ROUTES_SIZE;
}

int lw_routes_init(struct lw_routes *routes, uint32_t gsis, uint32_t count)
{
	(void)gsis, (void)count;
	is_routes(routes);
	return 0;
}

int lw_routes_fill(struct lw_routes *routes, const struct lw_route_source *from)
{
	is_routes(routes);
	from->get(from->arg, any_below((uint32_t)from->count));
	return nondet_bool() ? 0 : -EEXIST;
}

/* Two at most. */
size_t lw_routes_find(const struct lw_routes *routes, uint32_t gsi,
		      struct lw_route found[LW_ROUTES_PER_GSI])
{
	is_routes(routes);
	for (uint32_t n = 0; n < 2; n++)
		found[n] = (struct lw_route){.gsi = gsi,
					     .type = (enum lw_route_type)any_below(3),
					     .chip = nondet_u16(),
					     .pin = nondet_u16(),
					     .address = nondet_u64(),
					     .data = nondet_u32()};
	return any_below(3);
}

size_t lw_map_size(uint32_t nvcpus, uint32_t ids)
{
	return sizeof(struct lw_map) + ((size_t)ids + nvcpus) * sizeof(uint32_t);
}

int lw_map_init(struct lw_map *map, uint32_t nvcpus, uint32_t ids, const uint32_t *id)
{
	(void)id;
	must_hold(map == &a_map.map && nvcpus <= VCPUS && ids, "the map");
	return nondet_bool() ? 0 : -EINVAL;
}

bool lw_map_put(struct lw_map *map, uint32_t vcpu, const struct lw_lapic_address *now)
{
	(void)now;
	must_hold(map == &a_map.map, "the map");
	is_vcpu(vcpu);
	return nondet_bool();
}

void lw_map_find(const struct lw_map *map, const struct lw_msg *msg, struct lw_map_found *found)
{
	(void)msg;
	must_hold(map == &a_map.map, "the map");
	found->everybody = nondet_bool();
	found->count = any_below(VCPUS + 1u);
	found->vcpu[0] = 0;
	found->vcpu[1] = 1;
}

#endif
