/* SPDX-License-Identifier: MIT */
/*
 * The comparison as a picture: for each scenario the EOI exits of each policy, by kind, what was
 * lost, and the cycles per interrupt on a logarithmic axis.
 */
#include "tool/sim.h"

#include <inttypes.h>

/* In pixels. */
#define WIDTH        1200
#define HEAD         92
#define FOOT         64
#define CELL_TITLE   42
#define CELL_BARS    22 /* for each policy */
#define CELL_AXIS    52
#define CELL_WIDTH   (WIDTH / 2)
#define LABELS       84 /* the policies' names */
#define BARS_WIDTH   250
#define CYCLES_LEFT  (LABELS + BARS_WIDTH + 40)
#define CYCLES_WIDTH 198

/* Okabe and Ito's colours, which the colour-blind tell apart. */
#define NECESSARY   "#0072B2"
#define REDUNDANT   "#7FC4EC"
#define SUPERFLUOUS "#E69F00"
#define LOST        "#C03A00"
#define TEXT        "#222222"
#define FAINT       "#666666"

struct picture {
	const struct sim *sim;
	FILE *out;
	size_t scenarios, policies; /* every scenario ran under as many */
	int height, cell;
	double most; /* cycles per interrupt */
};

static void measure(struct picture *p)
{
	const struct sim *sim = p->sim;
	int rows;

	for (size_t n = 0; n < sim->count; n++) {
		double each = lw_sim_cycles(&sim->costs, &sim->runs[n].result).each;

		if (n == 0 || sim->runs[n].scenario != sim->runs[n - 1].scenario)
			p->scenarios++;
		if (each > p->most)
			p->most = each;
	}
	p->policies = sim->count / p->scenarios;
	rows = (int)(p->scenarios + 1) / 2;
	p->cell = CELL_TITLE + (int)p->policies * CELL_BARS + CELL_AXIS;
	p->height = HEAD + rows * p->cell + FOOT;
}

/* Pixels from the left and from the top, to gnuplot's screen coordinates. */
static double sx(int x)
{
	return (double)x / WIDTH;
}

static double sy(const struct picture *p, int y)
{
	return 1 - (double)y / p->height;
}

static void label(const struct picture *p, const char *text, int x, int y, const char *font,
		  const char *colour)
{
	fputs("set label ", p->out);
	lw_plot_quoted(text, p->out);
	fprintf(p->out, " at screen %.5f, screen %.5f left font \"%s\" textcolor rgb \"%s\"\n",
		sx(x), sy(p, y), font, colour);
}

static void legend(const struct picture *p, int x, const char *colour, const char *text)
{
	fprintf(p->out,
		"set object rectangle from screen %.5f, screen %.5f to screen %.5f, screen %.5f "
		"fillcolor rgb \"%s\" fillstyle solid noborder\n",
		sx(x), sy(p, 74), sx(x + 16), sy(p, 62), colour);
	label(p, text, x + 22, 68, "Arial,13", TEXT);
}

static void start(const struct picture *p, const char *command)
{
	const struct sim_costs *c = &p->sim->costs;
	char text[256];

	fprintf(p->out,
		"set terminal svg size %d,%d dynamic noenhanced font \"Arial,12\" "
		"background rgb \"#ffffff\" name \"lapwing\"\n"
		"set encoding utf8\n"
		"set multiplot\n"
		"unset key\nset border 1 linecolor rgb \"#999999\"\n",
		WIDTH, p->height);
	label(p, "What each EOI policy costs, and loses", 20, 26, "Arial,20", TEXT);
	legend(p, 20, NECESSARY, "necessary EOI exits");
	legend(p, 190, REDUNDANT, "redundant");
	legend(p, 295, SUPERFLUOUS, "superfluous");
	label(p, "✕ interrupts lost: the pin is dead", 410, 68, "Arial Bold,13", LOST);
	label(p, "● cycles per interrupt   ○ the same, but with losses: too low", 700, 68,
	      "Arial,13", TEXT);
	snprintf(text, sizeof(text),
		 "Estimated cycles: EOI exit %" PRIu64 ", kick %" PRIu64
		 ", (vCPU, route) pair scanned %" PRIu64 "; sources: lapwing-sim(1).",
		 c->exit, c->kick, c->scan);
	label(p, text, 20, p->height - 40, "Arial,12", FAINT);
	label(p, command, 20, p->height - 20, "Arial,12", FAINT);
}

/* ---- one scenario ---- */

static void number(double n, FILE *out)
{
	unsigned whole = n >= 0 && n < 999999.5 ? (unsigned)(n + 0.5) : 0;

	if (n < 0)
		fputs("\"-\"", out);
	else if (n > 0 && n < 0.5)
		fputs("\"< 1\"", out);
	else if (n < 999.5)
		fprintf(out, "\"%u\"", whole);
	else if (n < 999999.5)
		fprintf(out, "\"%u,%03u\"", whole / 1000, whole % 1000);
	else
		fprintf(out, "\"%.1f M\"", n / 1e6);
}

/* A width of nothing would still be a line: none is drawn where a part is missing. */
static void part(double from, double to, FILE *out)
{
	if (to > from)
		fprintf(out, "%.3f %.3f ", from, to);
	else
		fputs("NaN NaN ", out);
}

static void data(const struct picture *p, const struct sim_run *runs)
{
	fputs("$runs << END\n", p->out);
	for (size_t n = 0; n < p->policies; n++) {
		const struct scenario_result *r = &runs[n].result;
		double scale = r->interrupts ? 1000.0 / (double)r->interrupts : 0;
		double a = (double)r->truth.necessary * scale;
		double b = a + (double)r->truth.redundant * scale;
		double c = b + (double)r->truth.superfluous * scale;
		double each = lw_sim_cycles(&p->sim->costs, r).each;

		fprintf(p->out, "%zu %s ", p->policies - 1 - n, lw_eoi_policy_name(runs[n].policy));
		part(0, a, p->out);
		part(a, b, p->out);
		part(b, c, p->out);
		fprintf(p->out, "%d %.3f ", r->truth.lost > 0, each < 1 ? 1 : each);
		number(each, p->out);
		putc('\n', p->out);
	}
	fputs("END\n", p->out);
}

static void box(const struct picture *p, int left, int top, int width)
{
	int bottom = top + CELL_TITLE + (int)p->policies * CELL_BARS;

	fprintf(p->out,
		"set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
		"set tmargin at screen %.5f\nset bmargin at screen %.5f\n",
		sx(left), sx(left + width), sy(p, top + CELL_TITLE), sy(p, bottom));
}

/* Columns of the data: y, policy, from and to of three parts, whether lossy, cycles, their text.
 */
static void bars(int from, const char *colour, FILE *out)
{
	fprintf(out,
		"$runs using %d:1:%d:%d:($1-0.36):($1+0.36) with boxxyerror "
		"fillcolor rgb \"%s\" fillstyle solid noborder, ",
		from, from, from + 1, colour);
}

/* Labels of their own: gnuplot 5.4 dies of a plot with labels that are all undefined. */
static void losses(const struct picture *p, const struct sim_run *runs)
{
	for (size_t n = 0; n < p->policies; n++) {
		const struct scenario_result *r = &runs[n].result;
		const struct truth_counts *t = &r->truth;
		double exits = (double)(t->necessary + t->redundant + t->superfluous);

		if (t->lost)
			fprintf(p->out,
				"set label \"✕ %" PRIu64
				" lost\" at first %.3f, first %zu left font \"Arial Bold,12\" "
				"textcolor rgb \"" LOST "\"\n",
				t->lost,
				18 + (r->interrupts ? 1000 * exits / (double)r->interrupts : 0),
				p->policies - 1 - n);
	}
}

static void exits(const struct picture *p, const struct sim_run *runs, int left, int top)
{
	box(p, left + LABELS, top, BARS_WIDTH);
	fprintf(p->out,
		"set xrange [0:1000]\nset yrange [-0.5:%zu.5]\n"
		"set xtics (\"0\" 0, \"250\" 250, \"500\" 500, \"750\" 750, \"1,000\" 1000) "
		"nomirror scale 0.5 textcolor rgb \"" FAINT "\"\n"
		"set ytics () nomirror scale 0 textcolor rgb \"" TEXT "\"\n"
		"set grid xtics linetype 1 linecolor rgb \"#e4e4e4\"\n"
		"set xlabel \"EOI exits per 1,000 interrupts\" offset 0,0.4 textcolor rgb \"" FAINT
		"\"\n",
		p->policies - 1);
	losses(p, runs);
	fputs("plot ", p->out);
	bars(3, NECESSARY, p->out);
	bars(5, REDUNDANT, p->out);
	bars(7, SUPERFLUOUS, p->out);
	fputs("$runs using (NaN):1:ytic(2) with points\nunset label\nunset object\n", p->out);
}

static void cycles(const struct picture *p, int left, int top)
{
	double end = 1000;

	while (end < p->most * 100) /* room for a number */
		end *= 10;
	box(p, left + CYCLES_LEFT, top, CYCLES_WIDTH);
	fprintf(p->out,
		"set logscale x\nset xrange [1:%.0f]\n"
		"set xtics (\"≤1\" 1, \"100\" 1e2, \"10 k\" 1e4, \"1 M\" 1e6, \"100 M\" 1e8, "
		"\"10 G\" 1e10) nomirror scale 0.5 textcolor rgb \"" FAINT "\"\n"
		"set ytics (\"\" 0)\n"
		"set xlabel \"cycles per interrupt (log)\" offset 0,0.4 textcolor rgb \"" FAINT
		"\"\n",
		end);
	fputs("plot $runs using (1):1:($10-1):(0) with vectors nohead linewidth 1.5 "
	      "linecolor rgb \"#999999\", "
	      "$runs using 10:1 with points pointtype 7 pointsize 0.8 linecolor rgb \"" TEXT "\", "
	      "$runs using ($9 > 0 ? $10 : NaN):1 with points pointtype 7 pointsize 0.5 "
	      "linecolor rgb \"#ffffff\", "
	      "$runs using 10:1:11 with labels left offset 0.9,0 textcolor rgb \"" TEXT "\"\n"
	      "unset logscale x\n",
	      p->out);
}

static void scenario_cell(const struct picture *p, size_t n)
{
	const struct sim_run *runs = &p->sim->runs[n * p->policies];
	int left = n % 2 ? CELL_WIDTH : 0;
	int top = HEAD + (int)(n / 2) * p->cell;
	char about[SIM_ABOUT_SIZE];

	lw_sim_about(p->sim, runs, about);
	label(p, runs->scenario->name, left + 20, top + 12, "Arial Bold,14", TEXT);
	label(p, about, left + 20, top + 30, "Arial,11", FAINT);
	data(p, runs);
	exits(p, runs, left, top);
	cycles(p, left, top);
}

void lw_sim_script(const struct sim *sim, const char *command, FILE *out)
{
	struct picture p = {.sim = sim, .out = out};

	if (!sim->count)
		return;
	measure(&p);
	start(&p, command);
	for (size_t n = 0; n < p.scenarios; n++)
		scenario_cell(&p, n);
	fputs("unset multiplot\n", out);
}
