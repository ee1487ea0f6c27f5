/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a fuzz target over files, or the files of directories, without a fuzzing engine. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static void replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(1 << 20);
	size_t size;

	if (!file || !data) {
		fprintf(stderr, "replay: cannot read %s\n", path);
		exit(1);
	}
	/* Exactly as long as the input, so that a sanitizer sees a byte too many. */
	size = fread(data, 1, 1 << 20, file);
	data = realloc(data, size ? size : 1);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
}

static void replay(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir) {
		replay_file(path);
		return;
	}
	while ((entry = readdir(dir))) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		replay_file(name);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%lu inputs\n", replayed);
	if (replayed)
		return 0;
	fprintf(stderr, "replay: no inputs; name the files or directories of a corpus\n");
	return 1;
}
