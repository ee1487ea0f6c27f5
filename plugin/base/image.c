/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/image.h"

/*
 * Before the first table of its segment are headers and notes.  Behind the last is nothing, but lld
 * has constants there.
 */
#define HEADERS_MAX 4096u
#define REST_MAX 7u

/* DW_EH_PE_pcrel | DW_EH_PE_sdata4, as all linkers have it. */
#define EH_RELATIVE 0x1b

#if __ELF_NATIVE_CLASS == 64
#define SYMBOL_OF(info) ELF64_R_SYM(info)
#else
#define SYMBOL_OF(info) ELF32_R_SYM(info)
#endif

/* Of the Linux Standard Base, "Exception Frames". */
struct eh_frame_header {
	uint8_t version;
	uint8_t eh_frame_encoding;
	uint8_t count_encoding;
	uint8_t table_encoding;
	int32_t eh_frame; /* from its own address */
};

struct tables {
	uintptr_t start, end;
};

static void add_table(struct tables *tables, uintptr_t start, size_t size)
{
	if (start < tables->start)
		tables->start = start;
	if (start + size > tables->end)
		tables->end = start + size;
}

static const ElfW(Phdr) * segment_of_type(const struct dl_phdr_info *object, ElfW(Word) type)
{
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		if (object->dlpi_phdr[i].p_type == type)
			return &object->dlpi_phdr[i];
	}
	return NULL;
}

static const ElfW(Dyn) * dynamic_of(const struct dl_phdr_info *object)
{
	const ElfW(Phdr) *segment = segment_of_type(object, PT_DYNAMIC);

	return segment ? (const ElfW(Dyn) *)(object->dlpi_addr + segment->p_vaddr) : NULL;
}

/* The addresses of a dynamic section, which glibc has relocated in most objects. */
static uintptr_t address_in(const struct dl_phdr_info *object, uintptr_t value)
{
	return value < object->dlpi_addr ? object->dlpi_addr + value : value;
}

/* Whether some symbol of another object may not have been looked up yet. */
static bool is_lazy(const struct dl_phdr_info *object)
{
	const ElfW(Dyn) *dynamic = dynamic_of(object);
	uintptr_t at = 0;
	size_t size = 0, step = sizeof(ElfW(Rela));

	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		if (dynamic->d_tag == DT_JMPREL)
			at = address_in(object, dynamic->d_un.d_ptr);
		else if (dynamic->d_tag == DT_PLTRELSZ)
			size = dynamic->d_un.d_val;
		else if (dynamic->d_tag == DT_PLTREL && dynamic->d_un.d_val == DT_REL)
			step = sizeof(ElfW(Rel));
		else if (dynamic->d_tag == DT_BIND_NOW ||
			 (dynamic->d_tag == DT_FLAGS && dynamic->d_un.d_val & DF_BIND_NOW) ||
			 (dynamic->d_tag == DT_FLAGS_1 && dynamic->d_un.d_val & DF_1_NOW))
			return false;
	}
	/* Without a symbol it is one of the object's own, and done when that is loaded. */
	for (size_t i = 0; at && i + step <= size; i += step) {
		if (SYMBOL_OF(((const ElfW(Rel) *)(at + i))->r_info) != 0)
			return true;
	}
	return false;
}

static int find_lazy(struct dl_phdr_info *object, size_t size, void *opaque)
{
	(void)size;
	(void)opaque;
	return is_lazy(object);
}

static bool all_is_linked(void)
{
	const char *now = getenv("LD_BIND_NOW");

	return (now && *now) || dl_iterate_phdr(find_lazy, NULL) == 0;
}

/* The tables of a dynamic section. */
static struct tables tables_of(const struct dl_phdr_info *object, const ElfW(Dyn) * dynamic)
{
	struct tables tables = { .start = UINTPTR_MAX };
	uintptr_t at[DT_NUM] = { 0 };
	size_t size[DT_NUM] = { 0 };

	for (; dynamic->d_tag != DT_NULL; dynamic++) {
		uintptr_t value = dynamic->d_un.d_ptr;

		switch (dynamic->d_tag) {
		case DT_HASH:
		case DT_SYMTAB:
		case DT_STRTAB:
		case DT_RELA:
		case DT_REL:
		case DT_JMPREL:
#ifdef DT_RELR
		case DT_RELR:
#endif
			at[dynamic->d_tag] = address_in(object, value);
			break;
		case DT_GNU_HASH:
			add_table(&tables, address_in(object, value), 0);
			break;
		case DT_STRSZ:
			size[DT_STRTAB] = value;
			break;
		case DT_RELASZ:
			size[DT_RELA] = value;
			break;
		case DT_RELSZ:
			size[DT_REL] = value;
			break;
		case DT_PLTRELSZ:
			size[DT_JMPREL] = value;
			break;
#ifdef DT_RELR
		case DT_RELRSZ:
			size[DT_RELR] = value;
			break;
#endif
		}
	}
	for (int tag = 0; tag < DT_NUM; tag++) {
		if (at[tag])
			add_table(&tables, at[tag], size[tag]);
	}
	return tables;
}

/* What is read only, and of which nothing is run. */
static bool is_data(const ElfW(Phdr) * segment)
{
	return segment->p_type == PT_LOAD && segment->p_flags == PF_R;
}

static uintptr_t page_of(uintptr_t address)
{
	return address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static uintptr_t page_behind(uintptr_t address)
{
	return page_of(address + (uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

/*
 * What the linker reads, where that is a segment of its own.  Its first page stays: there are the
 * headers, by which all this is found.
 */
static struct image_part linking_part(const struct dl_phdr_info *object)
{
	const ElfW(Dyn) *dynamic = dynamic_of(object);
	const ElfW(Phdr) *first = segment_of_type(object, PT_LOAD);
	struct image_part none = { 0 }, part;
	struct tables tables;
	uintptr_t start, end;

	if (!dynamic || !first || !is_data(first) || first->p_offset != 0)
		return none;
	tables = tables_of(object, dynamic);
	start = object->dlpi_addr + first->p_vaddr;
	end = start + first->p_memsz;
	if (tables.start < start || tables.start - start > HEADERS_MAX || tables.end > end ||
	    end - tables.end > REST_MAX)
		return none;
	part.start = page_behind(start + 1);
	part.end = page_behind(end);
	return part.start < part.end ? part : none;
}

/* Records of .eh_frame have their length before them; the last one's is 0. */
static uintptr_t end_of_records(uintptr_t record, uintptr_t limit)
{
	uint32_t length;

	while (limit - record >= sizeof(length)) {
		memcpy(&length, (const void *)record, sizeof(length));
		record += sizeof(length);
		if (length == 0)
			return record;
		if (length > limit - record)
			break;
		record += length;
	}
	return 0;
}

/* What a stack is unwound by: .eh_frame_hdr, and .eh_frame behind it. */
static struct image_part unwinding_part(const struct dl_phdr_info *object)
{
	const ElfW(Phdr) *found = segment_of_type(object, PT_GNU_EH_FRAME);
	struct image_part none = { 0 }, part;
	struct eh_frame_header header;
	uintptr_t at, records;

	if (!found || found->p_memsz < sizeof(header))
		return none;
	at = object->dlpi_addr + found->p_vaddr;
	memcpy(&header, (const void *)at, sizeof(header));
	records = at + offsetof(struct eh_frame_header, eh_frame) + (uintptr_t)header.eh_frame;
	if (header.version != 1 || header.eh_frame_encoding != EH_RELATIVE ||
	    records < at + found->p_memsz || records - at > found->p_memsz + REST_MAX)
		return none;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;

		if (!is_data(segment) || at < start || records >= start + segment->p_memsz)
			continue;
		part.start = page_behind(at);
		part.end = page_of(end_of_records(records, start + segment->p_memsz));
		return part.start < part.end ? part : none;
	}
	return none;
}

void image_unread(const struct dl_phdr_info *object, struct image_part parts[IMAGE_PARTS])
{
	parts[0] = all_is_linked() ? linking_part(object) : (struct image_part){ 0 };
	parts[1] = unwinding_part(object);
}

void image_unlock(const struct image_part parts[IMAGE_PARTS])
{
	for (size_t i = 0; i < IMAGE_PARTS; i++) {
		if (parts[i].start < parts[i].end)
			(void)munlock((const void *)parts[i].start, parts[i].end - parts[i].start);
	}
}

static int unlock_of_one(struct dl_phdr_info *object, size_t size, void *opaque)
{
	struct image_part parts[IMAGE_PARTS];

	(void)size;
	(void)opaque;
	image_unread(object, parts);
	image_unlock(parts);
	return 0;
}

void image_unlock_all_unread(void)
{
	dl_iterate_phdr(unlock_of_one, NULL);
}
