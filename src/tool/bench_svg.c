/* SPDX-License-Identifier: MIT */
/*
 * What one affinity change costs as a picture, on logarithmic axes: over the routes, beside KVM's
 * KVM_SET_GSI_ROUTING, and over the vCPUs.
 */
#include "tool/bench.h"

#include <inttypes.h>

/* In pixels. */
#define WIDTH  1200
#define HEIGHT 560
#define TOP    104
#define PLOT   350 /* high */
#define LEFT   84
#define RIGHT  756
#define BROAD  420 /* the plot over the routes */
#define NARROW 330

/* The sizes that both plots vary from. */
#define VCPUS  8u
#define ROUTES 24u

/* Okabe and Ito's colours, which the colour-blind tell apart. */
#define SCANNING "#E69F00"
#define ARMED    "#0072B2"
#define KVM      "#C03A00"
#define TEXT     "#222222"
#define FAINT    "#666666"

struct picture {
	const struct bench *b;
	FILE *out;
	bool kvm[2];
};

/* ---- what there is to draw ---- */

static void print_ns(double ns, FILE *out)
{
	if (ns < 0)
		fputs(" NaN", out);
	else
		fprintf(out, " %.1f", ns);
}

/* The dearest or the cheapest of the policies that scan. */
static double extreme(const struct bench *b, bool dearest, uint32_t vcpus, uint32_t routes)
{
	double found = BENCH_UNKNOWN;

	for (int p = 0; p < LW_EOI_ARMED; p++) {
		const struct bench_row *r = lw_bench_find(b, (enum lw_eoi_policy)p, vcpus, routes);

		if (r && (found < 0 || (dearest ? r->ns > found : r->ns < found)))
			found = r->ns;
	}
	return found;
}

static double kvm_ns(const struct bench *b, int irqchip, uint32_t routes)
{
	for (size_t n = 0; n < b->kvm_count; n++)
		if (b->kvm[n].kind == LW_COST_ROUTING && b->kvm[n].routes == routes)
			return b->kvm[n].ns[irqchip];
	return BENCH_UNKNOWN;
}

/* A line for each size: it, cheapest and dearest scan, armed, lazy, KVM split and in-kernel. */
static void data(const struct picture *p, bool by_routes)
{
	fprintf(p->out, "$%s << EOD\n", by_routes ? "routes" : "vcpus");
	for (size_t n = 0; n < p->b->count; n++) {
		const struct bench_case *c = &p->b->rows[n].what;
		const struct bench_row *lazy =
			lw_bench_find(p->b, LW_EOI_LAZY, c->vcpus, c->routes);

		if (c->op != BENCH_AFFINITY || c->policy != LW_EOI_ARMED ||
		    (by_routes ? c->vcpus != VCPUS : c->routes != ROUTES))
			continue;
		fprintf(p->out, "%" PRIu32, by_routes ? c->routes : c->vcpus);
		print_ns(extreme(p->b, false, c->vcpus, c->routes), p->out);
		print_ns(extreme(p->b, true, c->vcpus, c->routes), p->out);
		print_ns(p->b->rows[n].ns, p->out);
		print_ns(lazy ? lazy->ns : BENCH_UNKNOWN, p->out);
		for (int i = 0; i < 2; i++)
			print_ns(by_routes ? kvm_ns(p->b, i, c->routes) : BENCH_UNKNOWN, p->out);
		fputc('\n', p->out);
	}
	fputs("EOD\n", p->out);
}

/* ---- drawing ---- */

static double sx(int x)
{
	return (double)x / WIDTH;
}

static double sy(int y)
{
	return 1 - (double)y / HEIGHT;
}

static void label(const struct picture *p, const char *text, int x, int y, const char *font,
		  const char *colour)
{
	fputs("set label ", p->out);
	lw_plot_quoted(text, p->out);
	fprintf(p->out, " at screen %.5f, screen %.5f left font \"%s\" textcolor rgb \"%s\"\n",
		sx(x), sy(y), font, colour);
}

/* A name at the end of its line. */
static void name(const struct picture *p, const char *text, double x, double y, const char *colour)
{
	if (y >= 0)
		fprintf(p->out,
			"set label \"%s\" at first %.1f, first %.1f left offset 0.8,0 font "
			"\"Arial,13\" textcolor rgb \"%s\"\n",
			text, x, y, colour);
}

/* The range of instructions that armed takes, over all sizes. */
static void say_instructions(const struct picture *p)
{
	double low = 0, high = 0;
	char text[200];

	for (size_t n = 0; n < p->b->count; n++) {
		const struct bench_row *r = &p->b->rows[n];

		if (r->what.op != BENCH_AFFINITY || r->what.policy != LW_EOI_ARMED ||
		    r->instructions <= 0)
			continue;
		if (low <= 0 || r->instructions < low)
			low = r->instructions;
		if (r->instructions > high)
			high = r->instructions;
	}
	if (low <= 0)
		return;
	snprintf(text, sizeof(text),
		 "In instructions: armed takes %s to %s, whatever the machine, 1 to 4,096 vCPUs "
		 "and 24 to 4,096 routes.",
		 lw_cell_grouped((uint64_t)low).text, lw_cell_grouped((uint64_t)high).text);
	label(p, text, 20, HEIGHT - 54, "Arial,12", FAINT);
}

static void start(const struct picture *p, const char *command)
{
	fprintf(p->out,
		"set terminal svg size %d,%d dynamic noenhanced font \"Arial,12\" "
		"background rgb \"#ffffff\" name \"lapwing\"\n"
		"set encoding utf8\nset multiplot\nunset key\n"
		"set border 3 linecolor rgb \"#999999\"\nset logscale xy\n"
		"set format y \"%%.0f\"\nset grid ytics linetype 1 linecolor rgb \"#e4e4e4\"\n"
		"set xlabel offset 0,0.2 textcolor rgb \"" FAINT "\"\n",
		WIDTH, HEIGHT);
	label(p, "What it costs to move one level interrupt", 20, 28, "Arial,20", TEXT);
	label(p,
	      "The guest writes both halves of an RTE; each vCPU that is kicked leaves and "
	      "enters guest mode once.",
	      20, 54, "Arial,13", FAINT);
	say_instructions(p);
	label(p,
	      "KVM_SET_GSI_ROUTING is what a VMM with a split irqchip calls for it (dashed: with "
	      "KVM's own I/O APIC); the vCPUs' scans come on top.",
	      20, HEIGHT - 36, "Arial,12", FAINT);
	label(p, command, 20, HEIGHT - 18, "Arial,12", FAINT);
	label(p, "ns, by I/O APIC routes, 8 vCPUs", LEFT - 40, TOP - 20, "Arial Bold,14", TEXT);
	label(p, "ns, by vCPUs, 24 routes", RIGHT - 40, TOP - 20, "Arial Bold,14", TEXT);
}

static void box(const struct picture *p, int left, int width)
{
	fprintf(p->out,
		"set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
		"set tmargin at screen %.5f\nset bmargin at screen %.5f\n"
		"set yrange [50:3e6]\n"
		"set ytics (\"100\" 1e2, \"1,000\" 1e3, \"10,000\" 1e4, \"100,000\" 1e5, "
		"\"1 M\" 1e6) nomirror scale 0.5 textcolor rgb \"" FAINT "\"\n",
		sx(left), sx(left + width), sy(TOP), sy(TOP + PLOT));
}

static void lines(const struct picture *p, const char *block)
{
	static const char *const dashes[] = {"", "dashtype 2 "};

	fprintf(p->out,
		"plot %s using 1:2:3 with filledcurves fillcolor rgb \"" SCANNING
		"\" fillstyle solid 0.35 noborder, "
		"%s using 1:3 with linespoints pointtype 7 pointsize 0.4 linewidth 1.5 "
		"linecolor rgb \"" SCANNING "\"",
		block, block);
	for (int i = 0; i < 2; i++)
		if (p->kvm[i])
			fprintf(p->out,
				", %s using 1:%d with linespoints pointtype 7 pointsize 0.4 "
				"%slinewidth 1.5 linecolor rgb \"" KVM "\"",
				block, 6 + i, dashes[i]);
	fprintf(p->out,
		", %s using 1:5 with linespoints pointtype 6 pointsize 0.6 linewidth 2 linecolor "
		"rgb \"" ARMED "\", "
		"%s using 1:4 with linespoints pointtype 7 pointsize 0.5 linewidth 2 linecolor rgb "
		"\"" ARMED "\"\nunset label\n",
		block, block);
}

static void by_routes(struct picture *p)
{
	const struct bench *b = p->b;
	const struct bench_row *armed = lw_bench_find(b, LW_EOI_ARMED, VCPUS, 4096);
	double split = kvm_ns(b, LW_VM_SPLIT, 4096), scan = extreme(b, true, VCPUS, 4096);
	double kernel = kvm_ns(b, LW_VM_INKERNEL, 4096);
	double kvm = split > 0 ? split : kernel;

	p->kvm[LW_VM_SPLIT] = split > 0;
	p->kvm[LW_VM_INKERNEL] = kernel > 0;
	/* Near each other: the upper name goes up, the lower one down. */
	name(p, "static … track", 4096, kvm > 0 && kvm > scan ? scan / 1.5 : scan * 1.3, SCANNING);
	name(p, "KVM_SET_GSI_ROUTING", 4096, kvm > scan ? kvm * 1.5 : kvm / 1.5, KVM);
	name(p, "armed, lazy", 4096, armed ? armed->ns : BENCH_UNKNOWN, ARMED);
	box(p, LEFT, BROAD);
	fputs("set xrange [20:4096]\nset xlabel \"\"\n"
	      "set xtics (\"24\" 24, \"64\" 64, \"256\" 256, \"1,024\" 1024, \"4,096\" 4096) "
	      "nomirror scale 0.5 textcolor rgb \"" FAINT "\"\n",
	      p->out);
	lines(p, "$routes");
	p->kvm[0] = p->kvm[1] = false;
}

static void by_vcpus(struct picture *p)
{
	const struct bench_row *armed = lw_bench_find(p->b, LW_EOI_ARMED, 4096, ROUTES);

	name(p, "static … track", 4096, extreme(p->b, true, 4096, ROUTES), SCANNING);
	name(p, "armed, lazy", 4096, armed ? armed->ns : BENCH_UNKNOWN, ARMED);
	box(p, RIGHT, NARROW);
	fputs("set xrange [1:4096]\n"
	      "set xtics (\"1\" 1, \"8\" 8, \"64\" 64, \"512\" 512, \"4,096\" 4096) "
	      "nomirror scale 0.5 textcolor rgb \"" FAINT "\"\n",
	      p->out);
	lines(p, "$vcpus");
}

void lw_bench_script(const struct bench *b, const char *command, FILE *out)
{
	struct picture p = {.b = b, .out = out};

	start(&p, command);
	data(&p, true);
	data(&p, false);
	by_routes(&p);
	by_vcpus(&p);
	fputs("unset multiplot\n", out);
}
