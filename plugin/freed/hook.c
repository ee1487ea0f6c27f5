/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "freed/config.h"
#include "freed.skel.h"
#include "freed/hook.h"
#include "freed/layout.h"

static int print_all(enum libbpf_print_level level, const char *format, va_list args)
{
	return vfprintf(stderr, format, args);
}

static int explain(int err, const char *what, char *why, size_t why_size)
{
	snprintf(why, why_size, "%s: %s%s", what, strerror(-err),
		 err == -EPERM ? " (CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN; no lockdown)" : "");
	return err;
}

static uint32_t kernel_device(dev_t device)
{
	return (uint32_t)major(device) << 20 | (uint32_t)minor(device);
}

static struct bpf_program *program_for(struct freed_bpf *skeleton, enum freed_shape shape)
{
	switch (shape) {
	case FREED_SLOT:
		return skeleton->progs.freed_slot;
	case FREED_ENTRY:
		return skeleton->progs.freed_entry;
	case FREED_CLUSTER_ENTRY:
		return skeleton->progs.freed_cluster_entry;
	case FREED_CLUSTER_SLOT:
		break;
	}
	return skeleton->progs.freed_cluster_slot;
}

static int load(struct freed_bpf *skeleton, const struct freed_target *target, dev_t device,
		uint64_t slots)
{
	struct bpf_program *wanted = program_for(skeleton, target->shape), *program;
	uint64_t words = FREED_HEAD_WORDS + (slots + FREED_WORD_SLOTS - 1) / FREED_WORD_SLOTS;
	int err;

	skeleton->rodata->config.slots = slots;
	skeleton->rodata->config.device = kernel_device(device);
	skeleton->rodata->config.cluster_size = target->cluster_size;
	skeleton->rodata->config.cluster_slots = target->cluster_slots;
	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program, program == wanted);
	err = bpf_program__set_attach_target(wanted, 0, target->function);
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.freed, (uint32_t)words);
	return err ? err : bpf_object__load(skeleton->obj);
}

/* Copies outlive the skeleton: closing that would take the program away. */
static int keep(struct freed_hook *hook, int map, int link)
{
	hook->map = fcntl(map, F_DUPFD_CLOEXEC, 3);
	hook->link = fcntl(link, F_DUPFD_CLOEXEC, 3);
	if (hook->map >= 0 && hook->link >= 0)
		return 0;
	freed_hook_close(hook);
	return -EMFILE;
}

static int load_and_attach(struct freed_hook *hook, struct freed_bpf *skeleton, dev_t device,
			   uint64_t slots, char *why, size_t why_size)
{
	struct bpf_link *link;
	int err = load(skeleton, &hook->target, device, slots);

	if (err)
		return explain(err, "the program for the kernel cannot be loaded", why, why_size);
	link = bpf_program__attach(program_for(skeleton, hook->target.shape));
	if (!link)
		return explain(-errno, "the program for the kernel cannot be attached", why,
			       why_size);
	err = keep(hook, bpf_map__fd(skeleton->maps.freed), bpf_link__fd(link));
	bpf_link__destroy(link);
	return err ? explain(err, "no descriptors", why, why_size) : 0;
}

int freed_hook_attach(struct freed_hook *hook, dev_t device, uint64_t slots, bool proven, bool loud,
		      char *why, size_t why_size)
{
	struct freed_hook made = { .map = -1, .link = -1 };
	struct freed_bpf *skeleton;
	struct btf *kernel;
	int err;

	if (slots == 0 || slots > FREED_SLOTS_MAX) {
		snprintf(why, why_size, "%s",
			 slots == 0 ? "the device has no size: is it attached?"
				    : "the device is too large: its slots are more than 2^32");
		return slots == 0 ? -ENODEV : -EFBIG;
	}
	libbpf_set_print(loud ? print_all : NULL);
	kernel = btf__load_vmlinux_btf();
	if (!kernel)
		return explain(-errno, "the kernel does not tell its types (BTF)", why, why_size);
	err = freed_choose(kernel, &made.target, why, why_size);
	btf__free(kernel);
	if (!err && proven && !freed_is_proven(&made.target)) {
		snprintf(
			why, why_size,
			"notices from the kernel's %s have not been proven: NOTICES=yes takes them",
			made.target.function);
		err = -EOPNOTSUPP;
	}
	if (err)
		return err;
	skeleton = freed_bpf__open();
	if (!skeleton)
		return explain(-errno, "the program for the kernel cannot be read", why, why_size);
	err = load_and_attach(&made, skeleton, device, slots, why, why_size);
	freed_bpf__destroy(skeleton);
	if (!err)
		*hook = made;
	return err;
}

void freed_hook_close(struct freed_hook *hook)
{
	if (hook->map >= 0)
		close(hook->map);
	if (hook->link >= 0)
		close(hook->link);
	hook->map = hook->link = -1;
}
