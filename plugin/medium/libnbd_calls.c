/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "medium/libnbd_calls.h"

/* The name of the library's stable interface. */
#define LIBNBD_FILE "libnbd.so.0"

struct libnbd_calls libnbd;

static int find(void *library, const char *name, void *call)
{
	void *found = dlsym(library, name);

	if (!found)
		return -ENOENT;
	/* A function's address in a void * may not be assigned, but copied. */
	memcpy(call, &found, sizeof(found));
	return 0;
}

int libnbd_load(void)
{
	struct libnbd_calls calls;
	void *library;

	if (libnbd.create)
		return 0;
	library = dlopen(LIBNBD_FILE, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return -ENOENT;
#define LIBNBD_FIND(name)                             \
	if (find(library, "nbd_" #name, &calls.name)) \
		goto lacking;
	LIBNBD_CALLS(LIBNBD_FIND)
#undef LIBNBD_FIND
	libnbd = calls;
	return 0;
lacking:
	dlclose(library);
	return -ENOENT;
}
