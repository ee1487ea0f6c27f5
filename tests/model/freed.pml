/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page, its swap slot and its bit: how a notice of the kernel and new content of the page meet
 * (plugin/store/freed.h).  Two users of the kernel take the slot in turn, write it by a request,
 * read it back and free it; the server publishes what is written, by the lock or by
 * compare and exchange; a sweeper forgets what is free.  Somebody else moves the page inside the
 * store meanwhile, as compaction does.
 *
 * What must hold: a read of a slot in use finds what was written there last; and once all is
 * quiet and the slot is free, nothing is stored.
 *
 * With one of these defined an order is wrong, and Spin must find an error:
 *	NO_SECOND_LOOK		the sweeper drops by what it saw before it had the lock
 *	PUBLISH_BEFORE_CLEAR	new content is to be seen before the bit is cleared
 *	CLEAR_AFTER_LOCK	the sweeper clears the bit when it has let go of the page
 *	KERNEL_LATE		the kernel sets the bit when others can have the slot already
 *	FAST_NOT_CLEARED	compare and exchange leaves the bit as it is
 *	MOVE_WITHOUT_LOCK	compaction puts back what it read without holding the page
 */
#define ROUNDS 2
#define EMPTY 0

bool slot_taken;   /* the kernel's */
byte version;	   /* the last that was given out */
bool notice;
bool locked;	   /* the entry */
byte entry;	   /* which version is stored, or EMPTY */
byte users = 2;
bool swept;

chan write_request = [0] of { byte };
chan write_reply = [0] of { bool };

inline lock()
{
	atomic { !locked -> locked = true }
}

inline unlock()
{
	locked = false
}

/* Under the kernel's lock the slot becomes free; nobody is given it before. */
inline free_slot()
{
#ifdef KERNEL_LATE
	slot_taken = false;
	notice = true
#else
	notice = true;
	slot_taken = false
#endif
}

proctype user()
{
	byte round, mine;

	do
	:: round < ROUNDS ->
		atomic { !slot_taken -> slot_taken = true; version++; mine = version }
		if
		:: true ->
			write_request ! mine;
			write_reply ? _;
			assert(entry == mine)	/* a read */
		:: true			/* freed without having been written */
		:: true ->		/* discarded, as free clusters are */
			write_request ! EMPTY;
			write_reply ? _
		fi;
		free_slot();
		mine = 0;
		round++
	:: else -> break
	od;
	users--
}

/* Serves requests one at a time: a slot has one owner, so there is one for a page. */
active proctype server()
{
	byte content, old;

end:	do
	:: write_request ? content ->
		if
		:: content == EMPTY ->	/* whatever the bit says, it may drop this */
			atomic { !locked -> entry = EMPTY }
		:: content != EMPTY ->	/* by the lock */
			lock();
#ifdef PUBLISH_BEFORE_CLEAR
			entry = content;
			unlock();
			notice = false;
#else
			notice = false;
			entry = content;
			unlock();
#endif
		:: content != EMPTY ->	/* by compare and exchange */
#ifndef FAST_NOT_CLEARED
#ifndef PUBLISH_BEFORE_CLEAR
			notice = false;
#endif
#endif
			old = entry;
			atomic { !locked -> entry = content }
#ifndef FAST_NOT_CLEARED
#ifdef PUBLISH_BEFORE_CLEAR
			notice = false;
#endif
#endif
		fi;
		content = 0;
		old = 0;
		write_reply ! true
	od
}

active proctype sweeper()
{
	bool seen, dropped;

	do
	:: users == 0 && !notice -> break
	:: notice ->
		seen = notice;
		lock();
#ifdef NO_SECOND_LOOK
		dropped = seen;
#else
		dropped = notice;
#endif
		if
		:: dropped ->
			entry = EMPTY;
#ifdef CLEAR_AFTER_LOCK
			unlock();
			notice = false
#else
			notice = false;
			unlock()
#endif
		:: else -> unlock()
		fi;
		seen = false;
		dropped = false
	od;
	swept = true;
	/* Quiet: nobody uses the slot, no notice is open. */
	assert(entry == EMPTY)
}

active proctype compaction()
{
	byte moved;

	do
	:: swept -> break
	:: else ->
#ifdef MOVE_WITHOUT_LOCK
		moved = entry;
		entry = moved;
#else
		lock();
		moved = entry;
		entry = moved;
		unlock();
#endif
		moved = 0
	od
}

init {
	atomic { run user(); run user() }
}
