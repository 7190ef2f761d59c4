/* SPDX-License-Identifier: MIT */
/* Every order of events in the world of world.c. The library's memory is saved and restored, and
 * states are told apart by the digest. */
c_decl {
\#include "glue.h"
}

c_track "&world_saved" "sizeof(world_saved)" "UnMatched"
c_track "world_digest" "sizeof(world_digest)" "Matched"

#define EVENT(n) :: d_step { c_expr { world_saved.may >> n & 1 } -> c_code { HAPPENS(n); } }

init {
	c_code { world_init(getenv("LW_MODEL")); atexit(world_tell_memory); };
	do
	EVENT(0) EVENT(1) EVENT(2) EVENT(3) EVENT(4) EVENT(5) EVENT(6) EVENT(7)
	EVENT(8) EVENT(9) EVENT(10) EVENT(11) EVENT(12) EVENT(13) EVENT(14) EVENT(15)
	EVENT(16) EVENT(17) EVENT(18) EVENT(19) EVENT(20) EVENT(21) EVENT(22) EVENT(23)
	EVENT(24) EVENT(25) EVENT(26) EVENT(27) EVENT(28) EVENT(29) EVENT(30) EVENT(31)
	EVENT(32) EVENT(33) EVENT(34) EVENT(35) EVENT(36) EVENT(37) EVENT(38) EVENT(39)
	od
}
