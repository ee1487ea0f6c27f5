/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a server goes that was asked to. */
#ifndef RAMZSWAP_QUIT_H
#define RAMZSWAP_QUIT_H

struct server;

/*
 * Ends the process if that was asked for (protection_quit_wanted) and nobody would lose what he has
 * here; says once why it does not.  By one thread, again and again.
 */
void quit_if_wanted(struct server *server);

#endif
