/* SPDX-License-Identifier: MIT */
#ifndef LAPWING_RACE_SCENARIOS_H
#define LAPWING_RACE_SCENARIOS_H

#include "race.h"

/* posts.c */
extern const struct race posts_that_tell, posts_in_one_word, posts_in_three_words,
	posts_of_no_vector, posts_of_no_vectors, posts_and_reset;
/* deliveries.c */
extern const struct race armed_on_hardware, armed_twice, armed_with_msi, armed_rewritten,
	armed_reset, lazy_reset, lazy_on_hardware, lazy_on_software, wire_unmasked,
	wire_masked_between, map_moved, armed_pulse, armed_pulses, armed_two_lines, lazy_pulses,
	track_routed, armed_routed, armed_two_routed, armed_entered, armed_two_entered, armed_back;
/* tables.c */
extern const struct race routes_replaced, routes_replaced_more;

#endif
