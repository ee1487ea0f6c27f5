/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Orders of rzscontrol, and what shows and ends those that take long. */
#ifndef RAMZSWAP_ORDER_H
#define RAMZSWAP_ORDER_H

#include "tools/invocation.h"

/*
 * Each ends the program where it fails.  An order that takes long shows on a terminal how far it
 * is; who ends this program meanwhile ends the work, as the server sees the connection close.
 */
void order_give(const struct invocation *invocation);

/* Shows how far the command is that the server carries out. */
void order_progress(const struct invocation *invocation);

/* Ends that command, and waits until the server is free. */
void order_cancel(const struct invocation *invocation);

#endif
