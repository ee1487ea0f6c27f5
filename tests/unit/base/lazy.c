/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A library whose symbols are looked up when they are first used. */
#include <stdlib.h>

int lazy_number(const char *text);

int lazy_number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}
