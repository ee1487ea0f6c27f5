/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spans of objects that are a page each: see xv_internal.h. */
#include "xv_lists.h"

static uint16_t get_bits(const _Atomic uint16_t *bits)
{
	return atomic_load_explicit(bits, memory_order_relaxed);
}

static void set_bits(_Atomic uint16_t *bits, uint32_t value)
{
	atomic_store_explicit(bits, (uint16_t)value, memory_order_relaxed);
}

void xv_slots_relist(struct xv_pool *pool, uint32_t span, enum span_state state)
{
	uint32_t taken = get_bits(&pool->spans[span].taken);

	for (uint32_t block = 0; block < SPAN_UNITS; block += SLOT_UNITS) {
		if (taken & slot_bit(block))
			continue;
		if (state == SPAN_HELD)
			xv_chain_add(pool, &pool->slots_free, span, block);
		else
			xv_chain_remove(pool, &pool->slots_free, span, block);
	}
}

static void account_slot(struct xv_pool *pool, uint32_t span, int32_t units, int32_t bytes)
{
	xv_account(pool, span, units);
	pool->paged_units += (uint64_t)(int64_t)units;
	pool->requested += (uint64_t)(int64_t)bytes;
}

static uint32_t take_slot(struct xv_pool *pool, uint32_t span, uint32_t block)
{
	struct xv_span *of = &pool->spans[span];

	set_bits(&of->taken, get_bits(&of->taken) | slot_bit(block));
	account_slot(pool, span, SLOT_UNITS, XV_PAGE_SIZE);
	pool->objects++;
	return make_handle(span, block);
}

uint32_t xv_slot_alloc(struct xv_pool *pool)
{
	uint32_t handle = pool->slots_free;

	if (!handle)
		return XV_NULL;
	xv_chain_remove(pool, &pool->slots_free, handle_span(handle), handle_block(handle));
	return take_slot(pool, handle_span(handle), handle_block(handle));
}

uint32_t xv_slot_alloc_in(struct xv_pool *pool, uint32_t span)
{
	struct xv_span *of = &pool->spans[span];

	set_bits(&of->taken, 0);
	set_bits(&of->shrunk, 0);
	atomic_store_explicit(&of->paged, true, memory_order_relaxed);
	pool->spans_paged++;
	for (uint32_t block = SPAN_UNITS - SLOT_UNITS; block; block -= SLOT_UNITS)
		xv_chain_add(pool, &pool->slots_free, span, block);
	return take_slot(pool, span, 0);
}

/* The last word of a slot, whose object has been shrunk and does not need it. */
static uint32_t *last_word(const struct xv_pool *pool, uint32_t handle)
{
	return span_units(pool, handle_span(handle)) + handle_block(handle) + SLOT_UNITS - 1;
}

/*
 * Of an object that is shrunk the last byte of its slot is free.  It says how much smaller than a
 * page the object is, up to 3 bytes; else it is 0, and the bytes before it are the size.
 */
static void write_size(uint32_t *word, uint32_t size)
{
	uint8_t *bytes = (uint8_t *)word;
	uint32_t less = XV_PAGE_SIZE - size;

	bytes[3] = less < UNIT ? (uint8_t)less : 0;
	if (less < UNIT)
		return;
	bytes[0] = (uint8_t)size;
	bytes[1] = (uint8_t)(size >> 8);
}

static uint32_t read_size(const uint32_t *word)
{
	const uint8_t *bytes = (const uint8_t *)word;

	return bytes[3] ? XV_PAGE_SIZE - bytes[3] : bytes[0] | (uint32_t)bytes[1] << 8;
}

uint32_t xv_slot_size(const struct xv_pool *pool, uint32_t handle)
{
	if (!(get_bits(&pool->spans[handle_span(handle)].shrunk) & slot_bit(handle_block(handle))))
		return XV_PAGE_SIZE;
	return read_size(last_word(pool, handle));
}

bool xv_slot_free(struct xv_pool *pool, uint32_t handle)
{
	uint32_t span = handle_span(handle), block = handle_block(handle);
	uint32_t size = xv_slot_size(pool, handle);
	struct xv_span *of = &pool->spans[span];
	bool held = xv_span_state(pool, span) == SPAN_HELD;

	account_slot(pool, span, -(int32_t)bytes_units(size), -(int32_t)size);
	set_bits(&of->shrunk, get_bits(&of->shrunk) & ~slot_bit(block));
	if (get_bits(&of->taken) == slot_bit(block)) {
		if (held)
			xv_slots_relist(pool, span, SPAN_DRAINING);
		set_bits(&of->taken, 0);
		atomic_store_explicit(&of->paged, false, memory_order_relaxed);
		pool->spans_paged--;
		return true;
	}
	set_bits(&of->taken, get_bits(&of->taken) & ~slot_bit(block));
	if (held)
		xv_chain_add(pool, &pool->slots_free, span, block);
	return false;
}

void xv_slot_shrink(struct xv_pool *pool, uint32_t handle, uint32_t size)
{
	uint32_t span = handle_span(handle), had = xv_slot_size(pool, handle);
	struct xv_span *of = &pool->spans[span];

	if (size == had)
		return;
	account_slot(pool, span, (int32_t)bytes_units(size) - (int32_t)bytes_units(had),
		     (int32_t)size - (int32_t)had);
	write_size(last_word(pool, handle), size);
	set_bits(&of->shrunk, get_bits(&of->shrunk) | slot_bit(handle_block(handle)));
}
