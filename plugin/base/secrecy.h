/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was swapped out holds passwords and keys: nobody but this process reads it here.
 */
#ifndef RAMZSWAP_SECRECY_H
#define RAMZSWAP_SECRECY_H

/* Set to 1, this variable of the environment lets a debugger in, and core dumps be made. */
#define SECRECY_OFF "RAMZSWAP_DUMPABLE"

/*
 * From now on no core of this process is dumped, and no process of the same user may trace it or
 * read its memory; root may (CAP_SYS_PTRACE).  /proc/self is root's then: what is written
 * there has to be before.  A change of user or a new program image undoes it, a fork does not.
 */
void secrecy_begin(void);

#endif
