/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin's parameters: from what stands on the command line to values that
 * agree with one another.
 */
#ifndef RAMZSWAP_PARAMS_H
#define RAMZSWAP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;

/* Room for any message of params_set and params_complete. */
#define PARAMS_WHY_MAX 512

enum swap_mode {
	SWAP_OFF,    /* an ordinary disk: no protection */
	SWAP_AUTO,   /* every protection that can be had */
	SWAP_STRICT, /* every protection, or no start */
};

/*
 * The only list of the parameters: parsing, help, what --dump-plugin says and the test of the
 * manual follow from it.  X(key, set, help): params.c has set_SET; help is the line of --help.
 */
#define PARAMS(X)                                                                               \
	X("size", disk_size,                                                                    \
	  "[size=]SIZE           Size of the disk (default 25% of RAM); disksize= too.")        \
	X("disksize", disk_size, "")                                                            \
	X("memlimit", memlimit, "\nmemlimit=SIZE|none    Most memory that the disk may take.")  \
	X("reserve", reserve, "\nreserve=SIZE          Memory kept ready ahead of need.")       \
	X("algorithm", algorithm, "\nalgorithm=NAME        Codec for writes (default lzo).")    \
	X("recompress", recompress,                                                             \
	  "\nrecompress=SECONDS[:CODEC]|off  Recompress pages untouched for so long, by zstd"   \
	  "\n                      or this codec (default off).")                               \
	X("recompress-cpu", recompress_cpu,                                                     \
	  "\nrecompress-cpu=N%     Processor time that may take (default 20%).")                \
	X("dictionary", dictionary,                                                             \
	  "\ndictionary=SIZE|off   What idle pages have in common, kept once (default 112K).")  \
	X("checksum", checksum,                                                                 \
	  "\nchecksum=on|off       Tell damaged pages from good ones (default off).")           \
	X("swap", swap, "\nswap=auto|strict|off  Protections for swap on this machine.")        \
	X("wipe", wipe,                                                                         \
	  "\nwipe=on|off           Overwrite in memory what is freed (default off).")           \
	X("ublk", ublk,                                                                         \
	  "\nublk=auto|N|off       Serve /dev/ublkbN of this machine, too (default off).")      \
	X("control", control, "\ncontrol=PATH          Control socket for rzscontrol.")         \
	X("backing", backing,                                                                   \
	  "\nbacking=FILE|DEVICE|URI|none  Store for what memory has no room for.")             \
	X("backing-size", backing_size,                                                         \
	  "\nbacking-size=SIZE     Bytes of it to use; of a file that is made (default size).") \
	X("backing-budget", backing_budget,                                                     \
	  "\nbacking-budget=SIZE|none  Bytes written to it a day (default none).")              \
	X("backing-rate", backing_rate,                                                         \
	  "\nbacking-rate=SIZE|none  Bytes written to it a second (default none).")             \
	X("backing-timeout", backing_timeout,                                                   \
	  "\nbacking-timeout=SECONDS  Wait for a lost NBD server (default 30).")                \
	X("backing-encrypt", backing_encrypt,                                                   \
	  "\nbacking-encrypt=on|off  Encrypt what is written to it (default on).")              \
	X("backing-force", backing_force,                                                       \
	  "\nbacking-force=on|off  Overwrite whatever it holds (default off).")

enum {
#define PARAM_ONE(name, set, help) +1
	PARAMS_COUNT = 0 PARAMS(PARAM_ONE)
#undef PARAM_ONE
};

struct params {
	uint64_t ram;	   /* of this machine, in bytes: what shares are of */
	uint64_t size;	   /* 0 until known */
	uint64_t memlimit; /* UINT64_MAX for none */
	uint64_t reserve;  /* UINT64_MAX until chosen */
	const struct codec *codec;
	const struct codec *idle_codec; /* of recompression; NULL until chosen */
	enum swap_mode swap;
	uint64_t dictionary;		 /* bytes at most; 0 for off, UINT64_MAX until chosen */
	unsigned int recompress_seconds; /* 0 for off */
	unsigned int recompress_percent;
	bool checksum;
	int ublk;		      /* number of the device, UBLK_ANY or UBLK_OFF */
	const char *control;	      /* path, or NULL; the caller keeps the text */
	const char *backing;	      /* file, block device or NBD URI, or NULL; the same */
	bool backing_none;	      /* and that was asked for */
	uint64_t backing_size;	      /* bytes; 0 for what is there */
	uint64_t backing_budget;      /* bytes a day; 0 for no limit */
	uint64_t backing_rate;	      /* bytes a second; 0 for no limit */
	unsigned int backing_timeout; /* seconds */
	bool backing_encrypt;
	bool backing_force;
	bool wipe; /* what is freed */

	const char *given[PARAMS_COUNT]; /* values as they were told, in the order of PARAMS */
};

/* The defaults, as far as they do not depend on other parameters. */
void params_init(struct params *params, uint64_t ram);

/*
 * Sets one parameter.  0; -ENOENT if there is no parameter of that name; -EINVAL
 * for a value that it does not take, or a second one.  Then nothing is changed and why holds one
 * line that says what was wrong and what would be right.  value must stay.
 */
int params_set(struct params *params, const char *key, const char *value, char *why,
	       size_t why_size);

/* Fills in what was not given and checks all together.  0 or -EINVAL, with why. */
int params_complete(struct params *params, char *why, size_t why_size);

const char *swap_mode_name(enum swap_mode mode);

#endif
