/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How figures look wherever a person reads them: sizes, bars, and lines of a label and a number. */
#ifndef RAMZSWAP_FIGURES_H
#define RAMZSWAP_FIGURES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Whether the locale that the program has set cannot show the characters of bars. */
bool figures_are_plain(void);

/* Room for a size and its NUL, and for a bar of so many places. */
#define FIGURE_SIZE_MAX 16
#define FIGURE_BAR_PLACES 30
#define FIGURE_BAR_MAX (FIGURE_BAR_PLACES * 3 + 1)

/* As people read it, with two or three digits that count: 1.5 GiB, 499 MiB, 12 KiB, none.  Returns
 * text. */
const char *figure_size(char text[FIGURE_SIZE_MAX], uint64_t bytes);

/* A bar that shows part of whole; more than all is all.  Returns text. */
const char *figure_bar(char text[FIGURE_BAR_MAX], uint64_t part, uint64_t whole, bool plain);

/* Columns of a number behind its label. */
#define FIGURE_WIDTH 11

/* A label and its colon, and blanks up to where all numbers begin. */
void figure_label(const char *label, FILE *out);

/* The same, the number, and the end of the line. */
void figure_line(const char *label, uint64_t value, FILE *out);

#endif
