/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What crosses the control socket, for both ends of it.
 *
 * One request a connection: a line "COMMAND" or "COMMAND ARGUMENT", ended by a
 * newline.  The answer is a line "ok", and behind it whatever the command has to
 * say, or a line "error TEXT"; then the server closes.
 *
 *	stats		 the plain form of stats.h
 *	histograms	 the plain form of histogram.h
 *	about		 what the server says of itself in words, see about.h
 *	compact		 a line for people: what was given back
 *	memlimit SIZE	 nothing, or a line for people: what to expect of that limit; SIZE as in
 *			 size.h, shares of RAM too, or none
 *	recompress	 a line for people: what was won
 *	writeback	 a line for people: what was moved; alone what policy wants moved,
 *			 or with huge, all, or idle SECONDS
 *	backing budget SIZE, backing rate SIZE	nothing; SIZE, or none
 *	freed		 a line for people: where notices of freed swap slots come from
 *	freed off	 nothing: there are none any more
 *	freed SLOTS FUNCTION PROOF
 *			 nothing; for ramzswap-freed, two descriptors come with it (freed/map.h)
 *	reset		 nothing
 *	check		 a line for people
 *	progress	 what is being carried out, see progress.h
 *	cancel		 a line for people: what was told to end
 *
 * compact, recompress, writeback and check end early, with an error that says what was done until
 * then, by a cancel, and for a client that hangs up before its answer.  One that has only shut down
 * its sending side, and then goes, does not end them.
 */
#ifndef RAMZSWAP_CONTROL_PROTOCOL_H
#define RAMZSWAP_CONTROL_PROTOCOL_H

#include "base/histogram.h"
#include "base/stats.h"

/*
 * The only list of the commands.  X(name, words, needs, alone, slow, help): of words an argument
 * has at most so many, 0 for a command without one; needs says what it is to be; alone: the
 * server does without it, too; slow: may take long; help: its lines in rzscontrol --help.
 * The server runs run_NAME of commands.c.
 */
#define CONTROL_COMMANDS(X)                                                                        \
	X(stats, 0, NULL, true, false,                                                             \
	  "  stats [--all]                show the statistics that are in use, or all\n"           \
	  "  stats --json|--prometheus    all of them for programs\n")                             \
	X(histograms, 0, NULL, true, false,                                                        \
	  "  histograms                   show how long requests take, and how large payloads "    \
	  "are\n")                                                                                 \
	X(about, 0, NULL, true, false,                                                             \
	  "  about                        show version, codecs, kind of disk and process\n")       \
	X(compact, 0, NULL, true, true,                                                            \
	  "  compact                      give free memory in the pool back to the system\n")      \
	X(memlimit, 1, "a size, or none for no limit", false, false,                               \
	  "  memlimit SIZE|none           change the memory limit (512M, 1.5G, 25% of RAM)\n")     \
	X(recompress, 0, NULL, true, true,                                                         \
	  "  recompress                   make idle pages smaller now\n")                          \
	X(writeback, 2, "idle SECONDS, huge or all", true, true,                                   \
	  "  writeback [idle SECONDS|huge|all]  move pages to the backing store now\n")            \
	X(backing, 2, "budget SIZE or rate SIZE", false, false,                                    \
	  "  backing                      show how the backing store is used\n"                    \
	  "  backing budget|rate SIZE|none  change what may be written to it a day or a second\n") \
	X(freed, 1, "off, or what ramzswap-freed sends", true, true,                               \
	  "  freed [off]                  show where notices of freed swap slots come from, or "   \
	  "end them\n")                                                                            \
	X(reset, 0, NULL, true, true,                                                              \
	  "  reset                        forget all data (refused while a client is "             \
	  "connected)\n")                                                                          \
	X(check, 0, NULL, true, true,                                                              \
	  "  check                        verify the page table and the pool\n")                   \
	X(progress, 0, NULL, true, false,                                                          \
	  "  progress                     show how far the command is that the server is at\n")    \
	X(cancel, 0, NULL, true, false,                                                            \
	  "  cancel                       end it: compact, recompress, writeback or check\n")

#define CONTROL_OK "ok\n"

/* "stats, compact, ... or check": all commands, for who asked for another. */
#define CONTROL_NAMES_MAX 256
void control_command_names(char text[CONTROL_NAMES_MAX]);

/* Room for the one line of why that an operation or control_bind may leave. */
#define CONTROL_WHY_MAX 512

/* Bytes of an answer. */
#define CONTROL_STATS_MAX (sizeof(CONTROL_OK) - 1 + STATS_PLAIN_MAX)
#define CONTROL_ERROR_MAX (sizeof("error \n") + CONTROL_WHY_MAX)
#define CONTROL_HISTOGRAMS_MAX (sizeof(CONTROL_OK) - 1 + HISTOGRAMS_PLAIN_MAX)
#define CONTROL_MORE(a, b) ((a) > (b) ? (a) : (b))
#define CONTROL_REPLY_MAX \
	CONTROL_MORE(CONTROL_HISTOGRAMS_MAX, CONTROL_MORE(CONTROL_STATS_MAX, CONTROL_ERROR_MAX))

#endif
