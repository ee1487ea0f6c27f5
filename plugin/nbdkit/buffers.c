/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nbdkit/buffers.h"
#include "server/server.h"
#include "urgent.h"

/* From here on it takes so long that being urgent costs nothing. */
#define URGENT_MIN (64u << 10)

/* Of the main program, what is needed to find where it keeps the address of a function. */
struct program {
	uintptr_t base;
	const ElfW(Sym) * symbols;
	const char *names;
	uintptr_t relocations[2]; /* those of functions, and all others */
	size_t sizes[2];
	bool with_addend;
	uintptr_t read_only, read_only_end; /* whole pages, once relocated */
};

/* A place that holds the address of a function, and what it held. */
struct place {
	const char *name;
	void *ours;
	void **at;
	void *theirs;
};

static const atomic_bool *urgent_wanted;

static void *resize(void *block, size_t size)
{
	int policy = URGENT_LEFT_ALONE;
	void *made;
	int error;

	/* In the middle of a request, which may be the one that is to free memory. */
	if (size >= URGENT_MIN && atomic_load_explicit(urgent_wanted, memory_order_relaxed))
		policy = urgent_begin_if_short();
	made = request_memory_resize(block, size);
	error = errno;
	urgent_end(policy);
	errno = error;
	return made;
}

static struct place places[] = {
	{ .name = "realloc", .ours = resize },
	{ .name = "free", .ours = request_memory_free },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

/* glibc leaves absolute addresses in most programs' tables, others what the file says. */
static uintptr_t absolute(const struct program *program, uintptr_t address)
{
	return address < program->base ? address + program->base : address;
}

static void read_dynamic(struct program *program, const ElfW(Dyn) * entry)
{
	for (; entry->d_tag != DT_NULL; entry++) {
		uintptr_t address = absolute(program, entry->d_un.d_ptr);

		switch (entry->d_tag) {
		case DT_SYMTAB:
			program->symbols = (const void *)address;
			break;
		case DT_STRTAB:
			program->names = (const void *)address;
			break;
		case DT_JMPREL:
			program->relocations[0] = address;
			break;
		case DT_PLTRELSZ:
			program->sizes[0] = entry->d_un.d_val;
			break;
		case DT_PLTREL:
			program->with_addend = entry->d_un.d_val == DT_RELA;
			break;
		case DT_RELA:
		case DT_REL:
			program->with_addend = entry->d_tag == DT_RELA;
			program->relocations[1] = address;
			break;
		case DT_RELASZ:
		case DT_RELSZ:
			program->sizes[1] = entry->d_un.d_val;
			break;
		}
	}
}

static uintptr_t page_of(uintptr_t address)
{
	return address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

/* The main program is the first that is told of. */
static int read_program(struct dl_phdr_info *info, size_t size, void *opaque)
{
	struct program *program = opaque;

	program->base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + header->p_vaddr;

		if (header->p_type == PT_DYNAMIC)
			read_dynamic(program, (const void *)start);
		if (header->p_type == PT_GNU_RELRO) {
			program->read_only = start;
			program->read_only_end = page_of(start + header->p_memsz);
		}
	}
	return 1;
}

#if UINTPTR_MAX == UINT64_MAX
#define SYMBOL_OF(info) ELF64_R_SYM(info)
#else
#define SYMBOL_OF(info) ELF32_R_SYM(info)
#endif

/* A relocation without an addend begins as one with it does. */
static const ElfW(Rel) * relocation(const struct program *program, int table, size_t i)
{
	size_t step = program->with_addend ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));

	if (!program->relocations[table] || (i + 1) * step > program->sizes[table])
		return NULL;
	return (const ElfW(Rel) *)(program->relocations[table] + i * step);
}

static void find_place(const struct program *program, struct place *place)
{
	const ElfW(Rel) * entry;

	for (int table = 0; table < 2; table++) {
		for (size_t i = 0; (entry = relocation(program, table, i)); i++) {
			const ElfW(Sym) *symbol = &program->symbols[SYMBOL_OF(entry->r_info)];

			if (SYMBOL_OF(entry->r_info) && symbol->st_shndx == SHN_UNDEF &&
			    strcmp(program->names + symbol->st_name, place->name) == 0)
				place->at = (void **)(program->base + entry->r_offset);
		}
	}
}

/* Whether it could be written: a program that binds all at its start has it read-only. */
static bool put(const struct program *program, void **at, void *function)
{
	void *page = (void *)page_of((uintptr_t)at);
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	bool read_only = (uintptr_t)at >= program->read_only &&
			 (uintptr_t)at < program->read_only_end;

	if (read_only && mprotect(page, page_size, PROT_READ | PROT_WRITE) != 0)
		return false;
	__atomic_store_n(at, function, __ATOMIC_RELEASE);
	if (read_only)
		(void)mprotect(page, page_size, PROT_READ);
	return true;
}

bool buffers_take_over(const atomic_bool *urgent)
{
	struct program program = { 0 };

	dl_iterate_phdr(read_program, &program);
	if (!program.symbols || !program.names)
		return false;
	for (size_t i = 0; i < PLACES; i++) {
		find_place(&program, &places[i]);
		if (!places[i].at)
			return false;
	}
	urgent_wanted = urgent;
	for (size_t i = 0; i < PLACES; i++) {
		places[i].theirs = *places[i].at;
		if (!put(&program, places[i].at, places[i].ours)) {
			buffers_give_back();
			return false;
		}
	}
	return true;
}

void buffers_give_back(void)
{
	struct program program = { 0 };

	dl_iterate_phdr(read_program, &program);
	for (size_t i = 0; i < PLACES; i++) {
		if (places[i].theirs)
			(void)put(&program, places[i].at, places[i].theirs);
		places[i].theirs = NULL;
	}
}
