/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server says of itself in words, beside the figures of stats.h: lines "name value".
 * Kept apart from them, as those are numbers to whoever reads them.
 */
#ifndef RAMZSWAP_CONTROL_ABOUT_H
#define RAMZSWAP_CONTROL_ABOUT_H

#include <stddef.h>

/* The only list.  X(name, room): bytes with the NUL. */
#define ABOUT_FIELDS(X)                                   \
	X(version, 32)                                    \
	X(codec, 16)                                      \
	/* none: nothing is compressed again by itself */ \
	X(idle_codec, 16)                                 \
	/* auto, strict or off */                         \
	X(swap, 8)                                        \
	X(pid, 12)

struct control_about {
#define ABOUT_MEMBER(name, room) char name[room];
	ABOUT_FIELDS(ABOUT_MEMBER)
#undef ABOUT_MEMBER
};

/* The lines of all of them, and a NUL. */
#define ABOUT_LINE(name, room) +sizeof(#name " ") + (room)
#define CONTROL_ABOUT_MAX (1 ABOUT_FIELDS(ABOUT_LINE))

/* The length without the NUL, or -ENOSPC if size is too small, which CONTROL_ABOUT_MAX never is. */
int control_about_format(const struct control_about *about, char *text, size_t size);

/*
 * Reads such lines.  What is missing is empty, what is not ours is left out, and what is too long
 * is cut: the server may be of another version.  Bytes that are no plain text become '?'.
 */
void control_about_parse(struct control_about *about, const char *text);

#endif
