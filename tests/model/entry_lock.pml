/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock in a table entry, as entry_lock, entry_try_lock and entry_unlock in
 * plugin/store/table.c have it, and entry_swap in plugin/store/page.c: two bits and a futex.
 * Each statement in an atomic is one access to memory or one system call.
 *
 * Promised: one thread has the lock; it sees what was published last; who sleeps is woken: else
 * spin finds a state without an end.
 *
 * Wrong ways:
 *	TORN_UNLOCK	unlock reads and then writes, instead of an exchange
 *	BLIND_SLEEP	the futex does not compare before it sleeps
 *	SILENT_SLEEP	a thread sleeps without having said so
 *	BLIND_SWAP	a swap does not look whether the entry is locked
 */

#define THREADS 2
#define ROUNDS 2
#define SWAPPERS 1
#define ALL (THREADS + SWAPPERS)

bool lock_bit, waiters_bit;
byte content;

/* What was published last, and who has the lock: not part of the entry. */
byte published;
byte holders;

bool asleep[ALL];

/* What a thread has in registers. */
#define LOCALS                                     \
	bool l, w, mark_waiters, mine, old_waiters; \
	byte c, i, new
/* So that states which differ in them alone are one. */
#define FORGET_LOCALS atomic { l = 0; w = 0; mine = 0; mark_waiters = 0; old_waiters = 0; c = 0; i = 0; new = 0 }

#define SAME_AS(l, w, c) (lock_bit == l && waiters_bit == w && content == c)

inline enter()
{
	holders++;
	assert(holders == 1);
	assert(content == published)
}

/* Gives new content, or not; what is published shows with the exchange. */
inline unlock()
{
	assert(lock_bit);
#ifdef TORN_UNLOCK
	old_waiters = waiters_bit;
	atomic {
		holders--;
		published = new;
		lock_bit = false;
		waiters_bit = false;
		content = new
	}
#else
	atomic {
		holders--;
		old_waiters = waiters_bit;
		published = new;
		lock_bit = false;
		waiters_bit = false;
		content = new
	}
#endif
	if
	:: old_waiters ->
		atomic {
			for (i : 0 .. ALL - 1) {
				asleep[i] = false
			}
		}
	:: else
	fi
}

inline lock()
{
	mine = false;
	mark_waiters = false;
	do
	:: mine -> break
	:: else ->
		atomic {
			l = lock_bit;
			w = waiters_bit;
			c = content
		}
		if
		:: !l ->
			atomic {
				if
				:: SAME_AS(l, w, c) ->
					lock_bit = true;
					waiters_bit = waiters_bit || mark_waiters;
					mine = true;
					enter()
				:: else
				fi
			}
		:: else ->
#ifndef SILENT_SLEEP
			if
			:: !w ->
				atomic {
					if
					:: SAME_AS(l, w, c) ->
						waiters_bit = true;
						w = true
					:: else
					fi
				}
			:: else
			fi;
#else
			w = true;
#endif
			if
			:: w ->
				atomic {
					if
#if defined(BLIND_SLEEP)
					:: true -> asleep[_pid] = true
#elif defined(SILENT_SLEEP)
					:: lock_bit && content == c -> asleep[_pid] = true
#else
					:: SAME_AS(true, true, c) -> asleep[_pid] = true
#endif
					:: else
					fi
				};
				!asleep[_pid];
				mark_waiters = true
			:: else
			fi
		fi
	od
}

active [THREADS] proctype thread()
{
	LOCALS;
	byte round;

	for (round : 1 .. ROUNDS) {
		lock();
		new = 1 - content;
		unlock();
		FORGET_LOCALS
	}
	FORGET_LOCALS
}

/* Gives an entry new content that nobody has locked, else takes the lock. */
active [SWAPPERS] proctype swapper()
{
	LOCALS;
	bool done;

	atomic {
		l = lock_bit;
		w = waiters_bit;
		c = content
	}
	if
#ifdef BLIND_SWAP
	:: true ->
#else
	:: !l ->
#endif
		atomic {
			if
			:: SAME_AS(l, w, c) ->
				content = 1 - c;
				published = content;
				lock_bit = false;
				waiters_bit = false;
				done = true
			:: else
			fi
		}
#ifndef BLIND_SWAP
	:: else
#endif
	fi;
	if
	:: done
	:: else ->
		lock();
		new = 1 - content;
		unlock()
	fi;
	FORGET_LOCALS
}
