/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into User-Mode Linux: lets it run on processors with a larger register file than it
 * knows (AMX).
 *
 * Up to 6.12 it keeps 2696 bytes of extended state for each program.  The host's kernel hands
 * out that part of the state, but takes back nothing shorter than the whole: EFAULT, and the guest
 * panics at its first program.  What the guest does not know its programs do not use, so the
 * rest is given as zeros, which the header calls "in its initial state".
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of the host, in bytes; 0 until it was asked.  User-Mode Linux has one thread that traces. */
static size_t host_size;
static char whole[64 << 10];

static long plain_ptrace(enum __ptrace_request request, pid_t pid, void *address, void *data)
{
	return syscall(SYS_ptrace, request, pid, address, data);
}

static void learn_host_size(pid_t pid)
{
	struct iovec state = { .iov_base = whole, .iov_len = sizeof(whole) };

	if (!plain_ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &state))
		host_size = state.iov_len;
}

static long set_extended_state(pid_t pid, const struct iovec *part)
{
	struct iovec state = *part;

	if (!host_size)
		learn_host_size(pid);
	if (part->iov_len < host_size) {
		memcpy(whole, part->iov_base, part->iov_len);
		memset(whole + part->iov_len, 0, host_size - part->iov_len);
		state.iov_base = whole;
		state.iov_len = host_size;
	}
	return plain_ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &state);
}

/* In the way of the C library's, whose contract it keeps. */
__attribute__((visibility("default"))) long ptrace(enum __ptrace_request request, ...)
{
	long word = 0, result;
	void *address, *data;
	va_list rest;
	pid_t pid;

	va_start(rest, request);
	pid = va_arg(rest, pid_t);
	address = va_arg(rest, void *);
	data = va_arg(rest, void *);
	va_end(rest);

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		/* The kernel stores the word, where the library returns it. */
		result = plain_ptrace(request, pid, address, &word);
		if (result < 0)
			return -1;
		errno = 0;
		return word;
	case PTRACE_SETREGSET:
		if (address == (void *)NT_X86_XSTATE)
			return set_extended_state(pid, data);
		break;
	default:
		break;
	}
	return plain_ptrace(request, pid, address, data);
}
