/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <unistd.h>

#include "guard/ask.h"

#define ANSWER_TIMEOUT_S 2

bool ask_stats(const char *socket, struct ask_answer *answer, struct ramzswap_stats *stats)
{
	const char *body = NULL, *error;
	int fd = control_connect(socket, ANSWER_TIMEOUT_S);

	if (fd < 0)
		return false;
	if (control_send(fd, "stats") == 0 &&
	    control_receive(fd, ANSWER_TIMEOUT_S, answer->text, sizeof(answer->text)) == 0)
		body = control_body(answer->text, &error);
	close(fd);
	return body && stats_parse_plain(stats, body) == 0;
}
