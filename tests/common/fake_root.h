/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory that stands for the root, in which a test makes up files of /proc and /sys. */
#ifndef TESTS_COMMON_FAKE_ROOT_H
#define TESTS_COMMON_FAKE_ROOT_H

/* Its path, between fake_root_make and fake_root_remove. */
extern char fake_root[];

/* Setup and teardown of a test, or of a group of tests. */
int fake_root_make(void **state);
int fake_root_remove(void **state);

/* The path of a file below it, "/proc/swaps"; the directories above it are made.  Up to the next
 * call. */
const char *fake_root_place(const char *path);

/* Writes such a file. */
void fake_root_put(const char *path, const char *text);

#endif
