/* SPDX-License-Identifier: MIT */
/*
 * The ways to lose an interrupt, for tests that must catch each of them. In a library built for
 * use, LW_LEFT_OUT() is the constant false and the rule can't be left out; tests build the same
 * sources with LW_DOUBLES and say which rule of docs/policies.md is missing.
 */
#ifndef LW_DOUBLES_H
#define LW_DOUBLES_H

enum lw_rule {
	LW_RULE_EVERY_RECORD,        /* 1: an EOI resolves every record of the pair */
	LW_RULE_KEEP_WHILE_RECORD,   /* 1: the bit stays while a record is open */
	LW_RULE_LOAD_BEFORE_PUBLISH, /* 2 */
	LW_RULE_LOAD_THEN_CHECK,     /* 3: a recalled vector that is gone is resolved */
	LW_RULE_EVERY_TAKER,         /* 4: arm every possible taker */
	LW_RULE_EDGE_FLIP,           /* 5: level to edge closes the record */
	LW_RULE_EOI_REGISTER,        /* 5: it matches the delivered vector too */
	LW_RULE_INIT,                /* 6: INIT resolves the vCPU's records */
	LW_RULE_KEEP_COSTLY,         /* 7: on hardware, let go only in credit */
	LW_RULE_MATCH_DELIVERED,     /* an EOI is matched against what was delivered */
	LW_RULE_RETRY,               /* a pin that was refused is tried again when LAPICs change */
	LW_RULE_HOLD_SUPPRESSED,     /* 5: nothing is let go while EOIs are suppressed … */
	LW_RULE_END_DOUBT,           /* 5: … what was, ends where that begins … */
	LW_RULE_KEEP_SUPPRESSED,     /* 5: … and what was EOI'd meanwhile is kept */
	LW_RULE_WAKE,                /* who is to look where a vector is may be halted */
	LW_RULES
};

#ifdef LW_DOUBLES
extern unsigned lw_left_out; /* bit per enum lw_rule */
#define LW_LEFT_OUT(rule) ((lw_left_out >> (rule)) & 1u)
#else
#define LW_LEFT_OUT(rule) 0
#endif

#endif
