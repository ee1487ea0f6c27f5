/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "freed/layout.h"
#include "freed/map.h"

/* Of what the kernel tells of an array: <linux/bpf.h> has BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE. */
#define TYPE_ARRAY 2
#define FLAG_MMAPABLE 0x400

static uint64_t words_for(uint64_t slots)
{
	return FREED_HEAD_WORDS + (slots + FREED_WORD_SLOTS - 1) / FREED_WORD_SLOTS;
}

static bool has(const char *text, const char *name, uint64_t value, bool as_flag)
{
	const char *line = strstr(text, name);
	unsigned long long found;

	if (!line || sscanf(line + strlen(name), " %lli", (long long *)&found) != 1)
		return false;
	return as_flag ? (found & value) == value : found == value;
}

/* Whether this is an array of so many words, by what the kernel says of the descriptor. */
static bool is_array(int fd, uint64_t words)
{
	char path[64], text[1024];
	ssize_t length;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return false;
	length = read(info, text, sizeof(text) - 1);
	close(info);
	text[length > 0 ? length : 0] = '\0';
	return has(text, "map_type:", TYPE_ARRAY, false) &&
	       has(text, "key_size:", sizeof(uint32_t), false) &&
	       has(text, "value_size:", sizeof(uint64_t), false) &&
	       has(text, "max_entries:", words, false) &&
	       has(text, "map_flags:", FLAG_MMAPABLE, true);
}

/*
 * Over the one that is there, if any, in one step: who looks at the bits sees the old ones or
 * the new, and always some.
 */
static int map_array(struct freed_map *map, int array, size_t size)
{
	int place = map->words ? MAP_FIXED : 0;
	void *words = mmap((void *)map->words, size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE | place, array, 0);

	if (words == MAP_FAILED)
		return -errno;
	map->words = words;
	map->size = size;
	return 0;
}

int freed_map_take(struct freed_map *map, int array, int link, uint64_t slots, char *why,
		   size_t why_size)
{
	uint64_t words = words_for(slots);
	int err = 0;

	freed_map_end(map);
	if (slots == 0 || slots > FREED_SLOTS_MAX || !is_array(array, words)) {
		snprintf(why, why_size, "what was handed over is no array for %llu slots",
			 (unsigned long long)slots);
		err = -EINVAL;
	} else if (map->words && map->size != words * sizeof(*map->words)) {
		snprintf(why, why_size, "the disk has had another number of slots before");
		err = -EINVAL;
	} else {
		err = map_array(map, array, words * sizeof(*map->words));
		if (err)
			snprintf(why, why_size, "the bits cannot be mapped: %s", strerror(-err));
	}
	close(array);
	if (err)
		close(link);
	else
		map->link = link;
	return err;
}

void freed_map_arm(struct freed_map *map)
{
	atomic_store(&map->words[FREED_ARMED], 1);
}

void freed_map_end(struct freed_map *map)
{
	if (map->link <= 0)
		return;
	atomic_store(&map->words[FREED_ARMED], 0);
	close(map->link);
	map->link = 0;
}

void freed_map_unmap(struct freed_map *map)
{
	freed_map_end(map);
	if (map->words)
		munmap((void *)map->words, map->size);
	map->words = NULL;
}

_Atomic uint64_t *freed_map_bits(const struct freed_map *map)
{
	return map->words ? map->words + FREED_HEAD_WORDS : NULL;
}

uint64_t freed_map_notices(const struct freed_map *map)
{
	return map->words ? atomic_load_explicit(&map->words[FREED_NOTICES], memory_order_relaxed)
			  : 0;
}
