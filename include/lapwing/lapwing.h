/* SPDX-License-Identifier: MIT */
/* All of Lapwing. Each header can also be included alone. */
#ifndef LAPWING_LAPWING_H
#define LAPWING_LAPWING_H

#include <lapwing/chip.h>
#include <lapwing/eoi.h>
#include <lapwing/ioapic.h>
#include <lapwing/lapic.h>
#include <lapwing/msi.h>
#include <lapwing/pic.h>
#include <lapwing/route.h>
#include <lapwing/seam.h>
#include <lapwing/snapshot.h>
#include <lapwing/types.h>

#endif
