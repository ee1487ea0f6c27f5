/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "tools/ask.h"
#include "tools/order.h"
#include "tools/progress.h"

/* How often to ask whether what was cancelled has ended. */
#define CANCEL_LOOK_US 50000

struct order {
	const char *socket;
	struct progress progress;
};

static int ask_progress(const char *socket, struct control_progress *told, char why[ASK_WHY_MAX])
{
	char answer[ASK_MAX + 1];
	const char *body;
	int err = ask(socket, "progress", ASK_TIMEOUT_S, answer, &body, why);

	if (err)
		return err;
	err = control_progress_parse(told, body);
	if (err)
		snprintf(why, ASK_WHY_MAX, "what listens on %s tells no progress", socket);
	return err;
}

static struct progress_look look_of(const struct control_progress *told)
{
	return (struct progress_look){ told->milliseconds, told->done, told->total, told->round };
}

/* A server that does not tell is waited for in silence. */
static void show_progress(void *opaque)
{
	struct order *order = opaque;
	struct control_progress told;
	char why[ASK_WHY_MAX];

	if (ask_progress(order->socket, &told, why) == 0 && strcmp(told.command, "none") != 0) {
		const struct progress_look look = look_of(&told);

		progress_show(&order->progress, told.command, &look);
	}
}

void order_give(const struct invocation *invocation)
{
	char answer[ASK_MAX + 1], request[128], why[ASK_WHY_MAX];
	struct order order = { .socket = invocation->socket };
	const struct ask_meanwhile meanwhile = { PROGRESS_LOOK_MS, show_progress, &order };
	const char *body;
	int err;

	snprintf(request, sizeof(request), "%s%s%s", invocation->command,
		 *invocation->argument ? " " : "", invocation->argument);
	progress_begin(&order.progress, stderr);
	if (invocation->slow)
		err = ask_patiently(invocation->socket, request,
				    progress_is_seen(&order.progress) ? &meanwhile : NULL, answer,
				    &body, why);
	else
		err = ask(invocation->socket, request, ASK_TIMEOUT_S, answer, &body, why);
	progress_end(&order.progress);
	if (err)
		fail("%s", why);
	print_and_exit(body);
}

void order_progress(const struct invocation *invocation)
{
	char line[PROGRESS_LINE_MAX], text[PROGRESS_LINE_MAX + 1], why[ASK_WHY_MAX];
	struct progress progress = { .count = 0 };
	struct control_progress told;
	struct progress_look look;

	if (ask_progress(invocation->socket, &told, why))
		fail("%s", why);
	if (!strcmp(told.command, "none"))
		print_and_exit("nothing that takes long is being carried out\n");
	look = look_of(&told);
	/* Of a later round nobody knows here when it began. */
	if (look.round == 1)
		progress_take(&progress, &(struct progress_look){ 0, 0, look.total, 1 });
	progress_take(&progress, &look);
	snprintf(text, sizeof(text), "%s\n", progress_line(&progress, told.command, line));
	print_and_exit(text);
}

void order_cancel(const struct invocation *invocation)
{
	char answer[ASK_MAX + 1], why[ASK_WHY_MAX];
	struct control_progress told;
	const char *body;
	uint64_t before = 0;

	if (ask(invocation->socket, "cancel", ASK_TIMEOUT_S, answer, &body, why))
		fail("%s", why);
	/* Until there is none, or one that began later. */
	while (ask_progress(invocation->socket, &told, why) == 0 &&
	       strcmp(told.command, "none") != 0 && told.milliseconds >= before) {
		before = told.milliseconds;
		usleep(CANCEL_LOOK_US);
	}
	print_and_exit(body);
}
