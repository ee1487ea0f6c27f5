/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "server/clients.h"

int clients_enter(struct clients *clients)
{
	int err;

	pthread_mutex_lock(&clients->lock);
	while (clients->held)
		pthread_cond_wait(&clients->changed, &clients->lock);
	err = clients->closed ? -ESHUTDOWN : 0;
	if (!err) {
		clients->inside++;
		clients->came++;
	}
	pthread_mutex_unlock(&clients->lock);
	return err;
}

void clients_leave(struct clients *clients)
{
	pthread_mutex_lock(&clients->lock);
	clients->inside--;
	pthread_mutex_unlock(&clients->lock);
}

unsigned int clients_inside(struct clients *clients)
{
	unsigned int inside;

	pthread_mutex_lock(&clients->lock);
	inside = clients->inside;
	pthread_mutex_unlock(&clients->lock);
	return inside;
}

bool clients_have_gone(struct clients *clients, unsigned int *came)
{
	bool gone;

	pthread_mutex_lock(&clients->lock);
	gone = clients->inside == 0 && clients->came != *came;
	if (gone)
		*came = clients->came;
	pthread_mutex_unlock(&clients->lock);
	return gone;
}

unsigned int clients_hold(struct clients *clients)
{
	unsigned int inside;

	pthread_mutex_lock(&clients->lock);
	while (clients->held)
		pthread_cond_wait(&clients->changed, &clients->lock);
	clients->held = true;
	inside = clients->inside;
	pthread_mutex_unlock(&clients->lock);
	return inside;
}

static void let_go(struct clients *clients, bool closed)
{
	pthread_mutex_lock(&clients->lock);
	clients->held = false;
	clients->closed |= closed;
	pthread_cond_broadcast(&clients->changed);
	pthread_mutex_unlock(&clients->lock);
}

void clients_release(struct clients *clients)
{
	let_go(clients, false);
}

void clients_close(struct clients *clients)
{
	let_go(clients, true);
}
