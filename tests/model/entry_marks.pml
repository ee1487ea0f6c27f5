/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The marks in a table entry: ENTRY_BUSY of recompression (plugin/store/recompress.c) and
 * ENTRY_LEAVING of writing back (plugin/store/leave.c).  Both copy a page under the lock, work
 * on the copy without it, and look afterwards whether the mark still stands.  An entry that
 * repeats a word has bits of the word where others have the marks.
 *
 * Promised: what the entry names is the page that was written last; a record that the entry does
 * not name is forgotten.
 *
 * Wrong ways:
 *	BUSY_OF_ANY_KIND	recompression looks at the bit without the kind
 *	LEAVING_OF_ANY_KIND	writing back does
 *	MARKS_STAY	a write leaves the marks standing
 *	MARKS_OVERLAP	a page that is compressed again is marked as leaving, with no record of it
 */

#define WRITES 3

mtype = { SAME, PAYLOAD, BACKED };

/* The entry: each atomic is one time that somebody has it locked. */
mtype kind = PAYLOAD;
byte version;	    /* of the page, in what the entry names */
bool busy, leaving; /* of a word: any bits */

/* What was written last; records in the backing store that live. */
byte truth;
byte records;

#define SOUND (version == truth)

active proctype writer()
{
	byte i;

	for (i : 1 .. WRITES) {
		atomic {
			/* A record that is overwritten is forgotten. */
			if
			:: kind == BACKED -> records--
			:: else
			fi;
			truth = i;
			version = i;
			if
			:: kind = PAYLOAD;
#ifndef MARKS_STAY
				busy = false;
				leaving = false
#endif
			:: kind = SAME;
				if
				:: busy = true
				:: busy = false
				fi;
				if
				:: leaving = true
				:: leaving = false
				fi
			fi
		}
	}
}

/* Twice round the table. */
active proctype recompressor()
{
	byte copy, i;
	bool copied;

	for (i : 1 .. 2) {
		copied = false;
		atomic {
			if
			:: kind == PAYLOAD && !leaving ->
				copy = version;
				busy = true;
				copied = true
			:: else
			fi
		}
		if
		:: copied ->
			/* Encodes, and then: */
			atomic {
				if
#ifdef BUSY_OF_ANY_KIND
				:: busy ->
#else
				:: kind == PAYLOAD && busy ->
#endif
					kind = PAYLOAD;
					version = copy;
					busy = false;
#ifdef MARKS_OVERLAP
					leaving = true;
#else
					leaving = false;
#endif
					assert(SOUND)
				:: else
				fi
			}
		:: else
		fi
	}
}

active proctype leaver()
{
	byte copy, i;
	bool copied;

	for (i : 1 .. 2) {
		copied = false;
		atomic {
			if
			:: kind == PAYLOAD && !leaving ->
				copy = version;
				leaving = true;
				copied = true
			:: else
			fi
		}
		if
		:: copied ->
			/* Writes the segment; all its records live then. */
			atomic {
				records++;
				if
#ifdef LEAVING_OF_ANY_KIND
				:: leaving ->
#else
				:: kind == PAYLOAD && leaving ->
#endif
					kind = BACKED;
					version = copy;
					busy = false;
					leaving = false;
					assert(SOUND)
				:: else -> records--
				fi
			}
		:: else
		fi
	}
}

/* At any time: a reader finds the page that was written last. */
active proctype reader()
{
	atomic { assert(SOUND && records == (kind == BACKED -> 1 : 0)) }
}
