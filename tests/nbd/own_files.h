/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of a test in the places of the kernel's, in a mount namespace of its own: the servers that
 * it starts see a machine that it has made up.
 */
#ifndef TESTS_NBD_OWN_FILES_H
#define TESTS_NBD_OWN_FILES_H

#include <stddef.h>

#define OWN_PATH_MAX 64

/* Ends the program: exit status 77, this machine cannot do it, and why (errno). */
void cannot(const char *what);

/* Writes a file in place: whoever has it open sees it. */
void say(const char *path, const char *text);

/* Enters the namespace, and makes a directory, whose path own_path writes with a name behind it. */
void own_files_begin(void);
void own_path(char path[OWN_PATH_MAX], const char *name);

/* Puts the test's file or directory in the place of the kernel's. */
void own_files_put(const char *path, const char *in_the_place_of);

/* Removes the directory with all that is in it. */
void own_files_end(void);

#endif
