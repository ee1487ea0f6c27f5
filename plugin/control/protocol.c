/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <stdio.h>

#include "control/protocol.h"

#define COMMAND(name, words, needs, alone, slow, help) #name,
static const char *const names[] = { CONTROL_COMMANDS(COMMAND) };
#undef COMMAND
#define COUNT (sizeof(names) / sizeof(names[0]))

#define COMMAND(name, words, needs, alone, slow, help) +sizeof(#name ", ")
_Static_assert(CONTROL_COMMANDS(COMMAND) + sizeof("or ") <= CONTROL_NAMES_MAX,
	       "the commands' names take more room");
#undef COMMAND

void control_command_names(char text[CONTROL_NAMES_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < COUNT; i++)
		used += (size_t)snprintf(text + used, CONTROL_NAMES_MAX - used, "%s%s",
					 i == 0		 ? ""
					 : i + 1 < COUNT ? ", "
							 : " or ",
					 names[i]);
}
