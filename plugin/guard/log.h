/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log that never makes its caller wait, as syslog(3) does while the daemon does not read: in a
 * machine short of memory, perhaps until whoever logs has helped.
 *
 * Of one thread, that of ramzswap-guard.
 */
#ifndef RAMZSWAP_GUARD_LOG_H
#define RAMZSWAP_GUARD_LOG_H

/* To the daemon's socket, _PATH_LOG of syslog.h; the string is kept.  It may appear later. */
void guard_log_open(const char *path);

/*
 * A message as of syslog(3), but for %m.  0, or a negative errno if it is lost: -EAGAIN where the
 * daemon does not read.
 */
int guard_log(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
