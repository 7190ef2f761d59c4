/* SPDX-License-Identifier: MIT */
/* Destinations that are everybody: of any LAPIC, and of one in xAPIC mode (SDM 11.6.2). */
#ifndef LW_DEST_H
#define LW_DEST_H

#define BROADCAST       0xffffffffu
#define XAPIC_BROADCAST 0xffu

#endif
