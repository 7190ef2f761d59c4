/* SPDX-License-Identifier: MIT */
/* Eventfds whose other end may be another process, which must not be able to stop us. */
#ifndef LAPWING_KVM_EVENT_H
#define LAPWING_KVM_EVENT_H

#pragma GCC visibility push(hidden)

/* Takes the signals of one that is readable: 1; 0 if somebody else has taken them; or an errno. */
int lw_event_take(int fd);
/* Signals it. One that is full is signalled as it is. 0, or an errno. */
int lw_event_tell(int fd);

#pragma GCC visibility pop

#endif
