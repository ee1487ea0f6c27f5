/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The statistics that the outside sees, by the names of 2009's ramzswap and
 * today's zram: as data, and in the plain form that crosses the control socket.
 * What people and programs are shown of them is made in plugin/tools.
 *
 * STATS_FIELDS is the only place where a statistic is listed.  X(type, name,
 * label, unit, kind, help): label is the word of the text form; unit BYTES is
 * shown there in kB; kind tells Prometheus a gauge from a counter.
 */
#ifndef RAMZSWAP_STATS_H
#define RAMZSWAP_STATS_H

#include <stddef.h>
#include <stdint.h>

enum stats_unit { STATS_BYTES, STATS_COUNT, STATS_SECONDS, STATS_FLAG };
enum stats_kind { STATS_GAUGE, STATS_COUNTER };

#define STATS_FIELDS(X)                                                                            \
	X(disksize, "DiskSize", BYTES, GAUGE, "Size of the disk")                                  \
	X(memlimit, "MemLimit", BYTES, GAUGE,                                                      \
	  "Most memory that the disk may take, 0 for no limit")                                    \
	X(reserve, "Reserve", BYTES, GAUGE, "Memory kept ready ahead of need")                     \
	X(reserve_ready, "ReserveReady", BYTES, GAUGE,                                             \
	  "The part of the reserve that is ready now")                                             \
	X(num_reads, "NumReads", COUNT, COUNTER, "Read requests")                                  \
	X(num_writes, "NumWrites", COUNT, COUNTER, "Write requests")                               \
	X(pages_written, "PagesWritten", COUNT, COUNTER, "Pages written with a payload")           \
	X(payload_written, "PayloadWritten", BYTES, COUNTER, "Size of their payloads")             \
	X(failed_reads, "FailedReads", COUNT, COUNTER, "Read requests that failed")                \
	X(failed_writes, "FailedWrites", COUNT, COUNTER, "Write requests that failed")             \
	X(invalid_io, "InvalidIO", COUNT, COUNTER, "Requests outside the disk")                    \
	X(notify_free, "NotifyFree", COUNT, COUNTER, "Pages freed by trim or zero requests")       \
	X(misaligned_trims, "MisalignedTrims", COUNT, COUNTER,                                     \
	  "Trim and zero requests that begin or end inside a page")                                \
	X(misaligned_writes, "MisalignedWrites", COUNT, COUNTER,                                   \
	  "Write requests that begin or end inside a page")                                        \
	X(zero_writes, "ZeroWrites", COUNT, COUNTER, "Pages of zeroes that came as data")          \
	X(freed_notices, "FreedNotices", COUNT, COUNTER,                                           \
	  "Swap slots that the kernel freed, by its notices")                                      \
	X(notices_heeded, "NoticesHeeded", FLAG, GAUGE,                                            \
	  "Whether these notices come, and are heeded")                                            \
	X(stale_pages, "StalePages", COUNT, GAUGE, "Pages of freed slots that are still stored")   \
	X(pages_zero, "ZeroPages", COUNT, GAUGE, "Pages stored that hold only zeroes")             \
	X(same_pages, "SamePages", COUNT, GAUGE,                                                   \
	  "Pages stored that repeat one word, zero included")                                      \
	X(pages_stored, "PagesStored", COUNT, GAUGE, "Pages stored with a payload")                \
	X(good_compress_pages, "GoodCompress", COUNT, GAUGE,                                       \
	  "Pages whose payload is at most half a page")                                            \
	X(pages_expand, "NoCompress", COUNT, GAUGE,                                                \
	  "Pages stored raw because they do not compress")                                         \
	X(huge_pages, "HugePages", COUNT, GAUGE, "The same, by zram's name")                       \
	X(orig_data_size, "OrigDataSize", BYTES, GAUGE, "Size of the pages stored with a payload") \
	X(compr_data_size, "ComprDataSize", BYTES, GAUGE, "Size of their payloads")                \
	X(mem_used_total, "MemUsedTotal", BYTES, GAUGE, "All memory that the disk holds")          \
	X(mem_used_max, "MemUsedMax", BYTES, GAUGE, "Most memory that it ever held")               \
	X(pages_compacted, "PagesCompacted", COUNT, COUNTER, "Pages moved to give memory back")    \
	X(compact_bytes, "CompactBytes", BYTES, COUNTER, "Memory given back by moving pages")      \
	X(pool_free, "PoolFree", BYTES, GAUGE, "Free memory inside spans that are in use")         \
	X(spans, "Spans", COUNT, GAUGE, "Spans of 64 KiB in use")                                  \
	X(spans_sparse, "SpansSparse", COUNT, GAUGE, "Spans less than half used")                  \
	X(lock_waits, "LockWaits", COUNT, COUNTER, "Times that a thread had to wait for a pool")   \
	X(pages_recompressed, "PagesRecompressed", COUNT, COUNTER, "Idle pages made smaller")      \
	X(recompress_bytes, "RecompressBytes", BYTES, COUNTER, "Bytes won by that")                \
	X(recompress_seconds, "RecompressTime", SECONDS, COUNTER, "Processor time spent on that")  \
	X(pages_idle_codec, "IdleCodecPages", COUNT, GAUGE, "Pages in the codec for idle pages")   \
	X(pages_returned, "PagesReturned", COUNT, COUNTER,                                         \
	  "Pages read often, encoded for speed again")                                             \
	X(dictionary_bytes, "DictionaryBytes", BYTES, GAUGE,                                       \
	  "Memory of dictionaries, and of what makes them and encodes by them")                    \
	X(dictionary_seconds, "DictionaryAge", SECONDS, GAUGE,                                     \
	  "Age of the present one, 0 for none")                                                    \
	X(dictionary_won, "DictionaryWon", BYTES, COUNTER, "Bytes that they won, estimated")       \
	X(pages_dictionary, "DictionaryPages", COUNT, GAUGE, "Pages that need a dictionary")       \
	X(dictionaries_made, "DictionariesMade", COUNT, COUNTER, "Dictionaries made")              \
	X(dictionaries_damaged, "DictionariesBad", COUNT, COUNTER, "Dictionaries found damaged")   \
	X(bd_count, "BackingPages", COUNT, GAUGE, "Pages in the backing store")                    \
	X(bd_reads, "BackingReads", COUNT, COUNTER, "Pages read back from it")                     \
	X(bd_read_requests, "BackingReadReqs", COUNT, COUNTER, "Requests that these reads took")   \
	X(bd_writes, "BackingWrites", COUNT, COUNTER, "Pages written to it, cleaning included")    \
	X(bd_size, "BackingSize", BYTES, GAUGE, "Size of the backing store, 0 without one")        \
	X(bd_bytes, "BackingBytes", BYTES, GAUGE, "Size of the payloads in it")                    \
	X(bd_read_bytes, "BackingReadBytes", BYTES, COUNTER, "Bytes read from it")                 \
	X(bd_written_bytes, "BackingWriteBytes", BYTES, COUNTER, "Bytes written to it")            \
	X(bd_failed_reads, "BackingBadReads", COUNT, COUNTER, "Pages that could not be read back") \
	X(bd_failed_writes, "BackingBadWrites", COUNT, COUNTER, "Segment writes that failed")      \
	X(bd_promoted, "BackingPromoted", COUNT, COUNTER, "Pages that came back to memory")        \
	X(bd_cleaned, "BackingCleaned", COUNT, COUNTER, "Pages copied to empty sparse segments")   \
	X(bd_budget, "BackingBudget", BYTES, GAUGE,                                                \
	  "What may be written to it a day, 0 for no limit")                                       \
	X(bd_budget_left, "BackingBudgetLeft", BYTES, GAUGE, "Left of the budget of the day")      \
	X(bd_over_budget, "BackingOverBudget", BYTES, COUNTER,                                     \
	  "Written because a write had no room")                                                   \
	X(bd_segment_size, "BackingSegSize", BYTES, GAUGE, "Size of its segments")                 \
	X(bd_segments, "BackingSegments", COUNT, GAUGE, "Segments of it")                          \
	X(bd_segments_free, "BackingFree", COUNT, GAUGE, "Free segments")                          \
	X(bd_segments_bad, "BackingBad", COUNT, GAUGE, "Segments that took no write")              \
	X(bd_fill_least, "BackingFillLeast", COUNT, GAUGE, "Segments up to 20 % full")             \
	X(bd_fill_less, "BackingFillLess", COUNT, GAUGE, "Segments up to 40 % full")               \
	X(bd_fill_half, "BackingFillHalf", COUNT, GAUGE, "Segments up to 60 % full")               \
	X(bd_fill_more, "BackingFillMore", COUNT, GAUGE, "Segments up to 80 % full")               \
	X(bd_fill_most, "BackingFillMost", COUNT, GAUGE, "Segments fuller than that")              \
	X(bd_read_usec, "BackingReadTime", COUNT, GAUGE, "Microseconds that a read took, mean")    \
	X(bd_read_usec_max, "BackingReadMax", COUNT, GAUGE, "Microseconds that a read took, most") \
	X(bd_write_usec, "BackingWriteTime", COUNT, GAUGE, "Microseconds for a segment, mean")     \
	X(bd_write_usec_max, "BackingWriteMax", COUNT, GAUGE, "Microseconds for a segment, most")  \
	X(checksum_errors, "ChecksumErrors", COUNT, COUNTER,                                       \
	  "Objects in memory found damaged, each time")                                            \
	X(connections, "Connections", COUNT, GAUGE, "Clients connected")                           \
	X(group_limit, "GroupLimit", BYTES, GAUGE,                                                 \
	  "Memory that the control groups of the server may have, 0 for no limit")                 \
	X(links_lost, "LinksLost", COUNT, COUNTER,                                                 \
	  "Times that the kernel lost the disk while it swapped there")                            \
	X(request_bytes, "RequestBytes", BYTES, GAUGE, "Buffers that requests have")               \
	X(locked, "Locked", FLAG, GAUGE, "Whether the memory is locked")                           \
	X(io_flusher, "IOFlusher", FLAG, GAUGE, "Whether PR_SET_IO_FLUSHER is in force")           \
	X(oom_protected, "OOMProtected", FLAG, GAUGE, "Whether the OOM killer spares the server")  \
	X(real_time, "RealTime", FLAG, GAUGE, "Whether the server may be a real-time task")        \
	X(oom_calls, "OOMCalls", COUNT, COUNTER,                                                   \
	  "Times that the OOM killer was called for want of room")                                 \
	X(oom_kills, "OOMKills", COUNT, COUNTER,                                                   \
	  "Programs that the server ended itself for want of memory")                              \
	X(minor_faults, "MinorFaults", COUNT, COUNTER, "Minor page faults of the server")          \
	X(major_faults, "MajorFaults", COUNT, COUNTER, "Major page faults of the server")          \
	X(request_faults, "RequestFaults", COUNT, COUNTER,                                         \
	  "Page faults other than of background threads")                                          \
	X(uptime_seconds, "Uptime", SECONDS, GAUGE, "Time since the start")

struct ramzswap_stats {
#define STATS_MEMBER(name, label, unit, kind, help) uint64_t name;
	STATS_FIELDS(STATS_MEMBER)
#undef STATS_MEMBER
};

/* Numbers of the fields, in their order: STATS_NR_disksize and so on. */
enum stats_number {
#define STATS_NUMBER(name, label, unit, kind, help) STATS_NR_##name,
	STATS_FIELDS(STATS_NUMBER)
#undef STATS_NUMBER
		STATS_FIELD_COUNT
};

struct stats_field {
	const char *name;
	const char *label;
	enum stats_unit unit;
	enum stats_kind kind;
	const char *help;
	size_t offset; /* of its uint64_t in struct ramzswap_stats */
};

/* By their numbers. */
extern const struct stats_field stats_fields[STATS_FIELD_COUNT];

static inline uint64_t stats_value(const struct ramzswap_stats *stats, enum stats_number number)
{
	return *(const uint64_t *)((const char *)stats + stats_fields[number].offset);
}

/*
 * The plain form, which crosses the control socket: a line "name value" for each
 * statistic.  This is room for all of them and a NUL.
 */
#define STATS_PLAIN_LINE(name, label, unit, kind, help) \
	+(sizeof(#name " 18446744073709551615\n") - 1)
#define STATS_PLAIN_MAX (1 STATS_FIELDS(STATS_PLAIN_LINE))

/*
 * Writes the plain form into a buffer, without allocating.  Its length without the
 * NUL, or -ENOSPC if size is too small, which STATS_PLAIN_MAX never is.
 */
int stats_format_plain(const struct ramzswap_stats *stats, char *buf, size_t size);

/*
 * Reads the plain form.  The sender may be of another version: names that are not ours are
 * ignored, and what it does not have is 0.  But the last of the fields is the last in all versions,
 * by which a text that was cut short is told.  0, or -EBADMSG for such a one, and for a line that
 * is no name and number; *stats is untouched then.
 */
int stats_parse_plain(struct ramzswap_stats *stats, const char *text);

#endif
