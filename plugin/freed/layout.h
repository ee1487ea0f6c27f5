/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The array that the kernel's program and the server share: words of 64 bits, first a head,
 * then a bit for each slot of the swap area, which is set when the slot becomes free.
 *
 *	word 0			not 0: the server heeds the bits; the program sets none before
 *	word 1			slots that became free since then
 *	words 2 to 7		zero
 *	word 8 + slot / 64	bit slot % 64 of it
 *
 * Included by the program for the kernel, too: nothing but constants here.
 */
#ifndef RAMZSWAP_FREED_LAYOUT_H
#define RAMZSWAP_FREED_LAYOUT_H

#define FREED_ARMED 0
#define FREED_NOTICES 1
#define FREED_HEAD_WORDS 8

#define FREED_WORD_SLOTS 64

/* Slots are counted in 32 bits: by the kernel, and by the program. */
#define FREED_SLOTS_MAX 0xffffffc0ull

#endif
